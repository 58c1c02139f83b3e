// Repeats what it is told. README.md says what it promises.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <string>

#include "lessons/common/program.h"
#include "workshop/topic/v1/topic.grpc.pb.h"

namespace {

namespace v1 = workshop::topic::v1;

class TopicService final : public v1::Topic::Service {
  grpc::Status Repeat(grpc::ServerContext* context,
                      const v1::RepeatRequest* request,
                      v1::RepeatResponse* response) override {
    if (request->times() < 1 || request->times() > 100) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "times must be 1 to 100"};
    }
    std::string text;
    for (int i = 0; i < request->times(); ++i) text += request->text();
    response->set_text(text);
    return grpc::Status::OK;
  }
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  CLI::App app("Repeats what it is told.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  TopicService service;
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  return workshop::ServeUntilStopped(builder, address);
}
