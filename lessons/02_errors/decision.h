// What a caller can do about a status: the same for every service, since the
// codes mean the same everywhere.

#pragma once

#include <grpcpp/grpcpp.h>

#include <string_view>

namespace workshop::users {

// When the same call may be made again.
enum class Retry {
  kNever,         // the answer would be the same
  kAfterPause,    // each pause longer than the one before
  kIfIdempotent,  // it may have been done: only if twice does no harm
  kFromTheStart,  // not this call alone, but what led to it as well
};

inline std::string_view Describe(Retry retry) {
  switch (retry) {
    case Retry::kNever:
      return "no";
    case Retry::kAfterPause:
      return "after a pause";
    case Retry::kIfIdempotent:
      return "if idempotent";
    case Retry::kFromTheStart:
      return "from the start";
  }
  return "no";
}

struct Decision {
  Retry retry;
  std::string_view action;
};

inline Decision Decide(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::OK:
      return {Retry::kNever, "use the response"};
    case grpc::StatusCode::CANCELLED:
      return {Retry::kNever, "do nothing: the caller has lost interest"};
    case grpc::StatusCode::UNKNOWN:
      return {Retry::kNever, "report it: the server has a bug"};
    case grpc::StatusCode::INVALID_ARGUMENT:
      return {Retry::kNever, "correct the fields that the details name"};
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return {Retry::kIfIdempotent, "allow more time, or go without"};
    case grpc::StatusCode::NOT_FOUND:
      return {Retry::kNever, "treat it as absent, or ask for something else"};
    case grpc::StatusCode::ALREADY_EXISTS:
      return {Retry::kNever, "use what exists, or choose another name"};
    case grpc::StatusCode::PERMISSION_DENIED:
      return {Retry::kNever, "ask for the right to do this"};
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return {Retry::kAfterPause, "send less, or less often"};
    case grpc::StatusCode::FAILED_PRECONDITION:
      return {Retry::kNever, "bring the system into the needed state first"};
    case grpc::StatusCode::ABORTED:
      return {Retry::kFromTheStart, "read again, then write again"};
    case grpc::StatusCode::OUT_OF_RANGE:
      return {Retry::kNever, "stop here: there is nothing beyond"};
    case grpc::StatusCode::UNIMPLEMENTED:
      return {Retry::kNever, "do without this call, or ask a newer server"};
    case grpc::StatusCode::INTERNAL:
      return {Retry::kNever, "report it: the cause is in the server's log"};
    case grpc::StatusCode::UNAVAILABLE:
      return {Retry::kAfterPause, "wait for the server to come back"};
    case grpc::StatusCode::DATA_LOSS:
      return {Retry::kNever, "call a person: data is lost"};
    case grpc::StatusCode::UNAUTHENTICATED:
      return {Retry::kNever, "log in, then make a new call"};
    case grpc::StatusCode::DO_NOT_USE:
      break;  // what makes the enum's values ints, and no code
  }
  return {Retry::kNever, "report it: no such code is known"};
}

}  // namespace workshop::users
