#include "tests/support/usual_causes.h"

#include <signal.h>

namespace workshop::testing {

std::string UsualCause(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNIMPLEMENTED:
      if (status.error_message().find("TODO") != std::string::npos) {
        return kSkeletonCause;
      }
      return "The server does not have this call: the method is not "
             "overridden (a wrong signature without `override` compiles and "
             "overrides nothing), or the service is not registered. On the "
             "callback API, also an exception in the handler.";
    case grpc::StatusCode::UNKNOWN:
      return "An exception left the handler: gRPC catches it and answers "
             "UNKNOWN. Return a grpc::Status instead of throwing.";
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "The handler did not come to its end: an endless loop, a lock "
             "that is never released, or (callback API and completion queue) "
             "a Finish() that is never called.";
    case grpc::StatusCode::UNAVAILABLE:
      return "Nobody accepts connections at that address, or the connection "
             "broke: the server listens elsewhere, has ended, or ends "
             "connections by itself.";
    case grpc::StatusCode::CANCELLED:
      return "The server cancelled the call: TryCancel(), or it is shutting "
             "down.";
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return "A limit was reached: a message over 4 MiB, or a thread quota of "
             "the server.";
    default:
      return "";
  }
}

std::string UsualCause(const Exit& exit, const std::string& err) {
  if (err.find("std::bad_alloc") != std::string::npos) {
    return "The program asked for more memory than it may have (2 GiB): "
           "something grows without end.";
  }
  switch (exit.signal) {
    case 0:
      return "The program ended by itself: main() returned, or something "
             "called exit(). A server must serve until it is told to stop.";
    case SIGFPE:
      return "In spite of its name: an integer division by zero, or of the "
             "smallest integer by -1. In C++ neither throws: both kill the "
             "process.";
    case SIGSEGV:
    case SIGBUS:
      return "A null or dangling pointer. Run the program under gdb, or build "
             "it with -fsanitize=address, to see where.";
    case SIGABRT:
      return "An assertion failed, or an exception left a thread; stderr says "
             "which. gRPC itself asserts when a ClientContext is used twice.";
    case SIGKILL:
      return "Something killed it: most often the system, for its memory.";
    default:
      return "";
  }
}

}  // namespace workshop::testing
