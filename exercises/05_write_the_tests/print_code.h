// Makes GoogleTest print a status code as its name, and not as its number.

#pragma once

#include <grpcpp/grpcpp.h>

#include <ostream>

#include "lessons/common/program.h"

namespace grpc {

// GoogleTest looks for it where the type is declared.
inline void PrintTo(StatusCode code, std::ostream* out) {
  *out << workshop::CodeName(code);
}

}  // namespace grpc
