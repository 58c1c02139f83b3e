// A gRPC client, whole: a channel, a stub, a call with a deadline, its status.

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <memory>
#include <string>

#include "workshop/greeter/v1/greeter.grpc.pb.h"

namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::milliseconds;
using std::chrono::system_clock;
using workshop::greeter::v1::Greeter;
using workshop::greeter::v1::SayHelloRequest;
using workshop::greeter::v1::SayHelloResponse;

// gRPC for C++ has the numbers of the status codes, but not their names.
std::string CodeName(grpc::StatusCode code) {
  static constexpr std::array<const char*, 17> kNames = {
      "OK",
      "CANCELLED",
      "UNKNOWN",
      "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED",
      "NOT_FOUND",
      "ALREADY_EXISTS",
      "PERMISSION_DENIED",
      "RESOURCE_EXHAUSTED",
      "FAILED_PRECONDITION",
      "ABORTED",
      "OUT_OF_RANGE",
      "UNIMPLEMENTED",
      "INTERNAL",
      "UNAVAILABLE",
      "DATA_LOSS",
      "UNAUTHENTICATED",
  };
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : std::to_string(code);
}

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  std::string name = "world";
  double timeout = 5;
  CLI::App app("Asks a greeter for a greeting.");
  app.add_option("--address", address, "where the server listens");
  app.add_option("--timeout", timeout, "seconds to wait, 0.001 to 86400");
  app.add_option("name", name, "whom to greet");
  app.callback([&timeout] {  // not CLI::Range, which lets "nan" through
    if (timeout >= 0.001 && timeout <= 86400) return;
    throw CLI::ValidationError("--timeout", "must be 0.001 to 86400 seconds");
  });
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;  // 0: it was --help
  }

  // Connects when it is first needed, and again when the connection is lost.
  // Make one and keep it; stubs are cheap, and share it.
  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const std::unique_ptr<Greeter::Stub> stub = Greeter::NewStub(channel);

  SayHelloRequest request;
  request.set_name(name);
  SayHelloResponse response;
  grpc::ClientContext context;  // belongs to one call: a second one aborts
  context.set_deadline(system_clock::now() +
                       milliseconds(std::llround(timeout * 1000)));
  const grpc::Status status = stub->SayHello(&context, request, &response);
  if (!status.ok()) {
    std::cerr << CodeName(status.error_code()) + ": " + status.error_message() +
                     "\n";
    return 1;
  }
  std::cout << response.message() << "\n"
            << "server time: " << TimeUtil::ToString(response.server_time())
            << "\n";
  return 0;
}
