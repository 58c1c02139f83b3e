// A gRPC client, whole: a channel, a stub, a call with a deadline, its status.

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "workshop/greeter/v1/greeter.grpc.pb.h"

namespace {

using google::protobuf::util::TimeUtil;
using std::chrono::system_clock;
using workshop::greeter::v1::Greeter;
using workshop::greeter::v1::SayHelloRequest;
using workshop::greeter::v1::SayHelloResponse;

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  std::string name = "world";
  double timeout_seconds = 5;
  CLI::App app("Asks a greeter for a greeting.");
  app.add_option("--address", address, "where the server listens");
  app.add_option("--timeout", timeout_seconds, "how long to wait, in seconds");
  app.add_option("name", name, "whom to greet");
  CLI11_PARSE(app, argc, argv);

  const std::shared_ptr<grpc::Channel> channel =
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const std::unique_ptr<Greeter::Stub> stub = Greeter::NewStub(channel);

  SayHelloRequest request;
  request.set_name(name);
  SayHelloResponse response;
  grpc::ClientContext context;  // for one call: a second one aborts
  context.set_deadline(
      system_clock::now() +
      std::chrono::milliseconds(static_cast<int>(timeout_seconds * 1000)));
  const grpc::Status status = stub->SayHello(&context, request, &response);
  if (!status.ok()) {
    std::cerr << status.error_code() << ": " << status.error_message() << "\n";
    return 1;
  }
  std::cout << response.message() << "\n"
            << "server time: " << TimeUtil::ToString(response.server_time())
            << "\n";
  return 0;
}
