// Talks in a room. README.md says what it promises.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "lessons/common/program.h"
#include "lines.h"
#include "workshop/chat/v1/chat.grpc.pb.h"

namespace {

using workshop::chat::v1::Chat;
using workshop::chat::v1::TalkRequest;
using workshop::chat::v1::TalkResponse;

// Prints an event as a line, at once even if stdout is no terminal.
void Print(const TalkResponse& event) {
  if (event.has_text()) {
    std::cout << event.sender() << ": " << event.text() << std::endl;
  } else if (event.has_joined()) {
    std::cout << "* " << event.sender() << " joined" << std::endl;
  } else if (event.has_left()) {
    std::cout << "* " << event.sender() << " left" << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  std::chrono::milliseconds timeout = std::chrono::hours(8);
  std::string room;
  std::string name;
  CLI::App app("Talks in a room: says what is typed, prints what is said.");
  app.add_option("--address", address, "where the server listens");
  workshop::AddSeconds(app, "--timeout", timeout,
                       "how long to stay at most, in seconds");
  app.add_option("--room", room, "where to talk")->required();
  app.add_option("--name", name, "under which name")->required();
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  const std::unique_ptr<Chat::Stub> stub = Chat::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + timeout);
  const auto stream = stub->Talk(&context);

  Lines lines;
  std::thread writer([&] {
    TalkRequest request;
    request.mutable_join()->set_room(room);
    request.mutable_join()->set_name(name);
    bool open = stream->Write(request);
    while (open) {
      const std::optional<std::string> line = lines.Next();
      if (!line) break;
      if (line->empty()) continue;
      request.set_text(*line);
      open = stream->Write(request);
    }
    stream->WritesDone();
  });
  TalkResponse event;
  while (stream->Read(&event)) Print(event);
  lines.Stop();  // the call is over, whatever is still typed
  writer.join();

  const grpc::Status status = stream->Finish();
  if (!status.ok()) {
    std::cerr << workshop::CodeName(status.error_code()) << ": "
              << status.error_message() << "\n";
    return workshop::kFailed;
  }
  return workshop::kDone;
}
