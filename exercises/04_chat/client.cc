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

// TODO 14: write a function that prints an event as a line, "SENDER: TEXT",
// "* SENDER joined" or "* SENDER left", and flushes it (std::endl).

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
  // TODO 15: insist on both: ->required().
  app.add_option("--room", room, "where to talk");
  app.add_option("--name", name, "under which name");
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  const std::unique_ptr<Chat::Stub> stub = Chat::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  // TODO 16: open a Talk() call that lasts no longer than `timeout`.
  // TODO 17: in a thread of its own, write the join and then each line of
  // Lines::Next() that is not empty; half-close when there are no more.
  // TODO 18: meanwhile, read and print what comes until nothing more does;
  // then Stop() the lines, which may be waiting for somebody to type.
  // TODO 19: if the call failed, name its code on stderr (workshop::CodeName)
  // and end with workshop::kFailed; otherwise with workshop::kDone.
  std::cerr << "TODO 16: the client does not call yet\n";
  return workshop::kFailed;
}
