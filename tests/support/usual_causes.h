// What usually is behind a failure that gRPC reports in its own words.

#pragma once

#include <grpcpp/grpcpp.h>

#include <string>

#include "tests/support/process.h"

namespace workshop::testing {

// Why a program says "TODO".
inline constexpr char kSkeletonCause[] =
    "This part is still the skeleton's: the message names the TODO in your "
    "source.";

// What usually makes a call to a learner's server end with `status` although
// something else was promised; empty if nothing general can be said.
std::string UsualCause(const grpc::Status& status);

// What usually makes a program end like this although it should go on.
std::string UsualCause(const Exit& exit, const std::string& err);

}  // namespace workshop::testing
