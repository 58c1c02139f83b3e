// What usually is behind a failure that gRPC reports in its own words.

#pragma once

#include <grpcpp/grpcpp.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tests/support/process.h"

namespace workshop::testing {

// Why a program says "TODO".
inline constexpr char kSkeletonCause[] =
    "This part is still the skeleton's: the message names the TODO in your "
    "source.";

// What a status means when it is not the handler's own words but gRPC's.
struct CauseOfStatus {
  std::optional<grpc::StatusCode> code;  // none: any but OK
  // What its message contains, both of them. `kNoMessage`: it is empty.
  std::string_view words;
  std::string_view also;
  std::string_view cause;
};
inline constexpr std::string_view kNoMessage = "(none)";

// All that are known, in the order in which they are tried. Each has a test
// that makes gRPC say it.
std::span<const CauseOfStatus> CausesOfStatuses();

// What usually makes a call to a learner's server end with `status` although
// something else was promised; empty if nothing general can be said.
std::string UsualCause(const grpc::Status& status);

// What usually makes a learner's client fail with these words on stderr
// although the suite's server would have answered; empty if nothing general can
// be said.
std::string UsualCauseOfClient(const std::string& err);

// What usually makes a program end like this although it should go on.
std::string UsualCause(const Exit& exit, const std::string& err);

}  // namespace workshop::testing
