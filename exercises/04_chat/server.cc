// Rooms in which people talk. README.md says what they promise.

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "lessons/common/program.h"
#include "mailbox.h"
#include "workshop/chat/v1/chat.grpc.pb.h"

namespace {

using google::protobuf::util::TimeUtil;
using grpc::StatusCode;
using workshop::chat::v1::Chat;
using workshop::chat::v1::Join;
using workshop::chat::v1::TalkRequest;
using workshop::chat::v1::TalkResponse;

// Somebody in a room: a call, and what waits to be written to it.
struct Member {
  grpc::ServerContext* context;
  Mailbox mailbox;
};

// Who is in a room, and what has happened there so far.
struct Room {
  std::int64_t last_sequence = 0;
  std::map<std::string, Member*> members;

  // Completes the event and puts it into the mailbox of every member.
  void Publish(const std::string& sender, TalkResponse event) {
    // TODO 1: set the event's number in the room, sender and time (task 1).
    const auto shared = std::make_shared<const TalkResponse>(std::move(event));
    for (const auto& [name, member] : members) {
      // TODO 2: end the call of a member whose mailbox is full (task 3).
      member->mailbox.Put(shared);
    }
  }
};

// All rooms. What happens in them happens under one lock, so that all members
// hear it in one order; nothing under the lock waits for a member.
class Rooms {
 public:
  // Adds `member` to the room, and tells all. False if the name is taken.
  bool Enter(const Join& join, Member* member) {
    const std::lock_guard lock(mutex_);
    Room& room = rooms_[join.room()];
    if (!room.members.emplace(join.name(), member).second) return false;
    TalkResponse event;
    event.mutable_joined();
    room.Publish(join.name(), std::move(event));
    return true;
  }

  // Tells all in the room of `join` what its member says.
  void Say(const Join& join, const std::string& text) {
    const std::lock_guard lock(mutex_);
    TalkResponse event;
    event.set_text(text);
    rooms_.at(join.room()).Publish(join.name(), std::move(event));
  }

  // Tells all that the member leaves, itself too, and removes it.
  void Leave(const Join& join) {
    const std::lock_guard lock(mutex_);
    Room& room = rooms_.at(join.room());
    // TODO 3: tell all in the room that the member has left it (task 2).
    room.members.erase(join.name());
    // TODO 4: forget the room if nobody is in it (task 2).
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Room> rooms_;  // guarded by mutex_
};

class ChatService final : public Chat::Service {
  using Stream = grpc::ServerReaderWriter<TalkResponse, TalkRequest>;

  grpc::Status Talk(grpc::ServerContext* context, Stream* stream) override {
    // TODO 5: read the first message; refuse what is no join (task 1).
    // TODO 6: refuse a room or name that is empty or too long (task 1).
    // TODO 7: make a Member, and a thread that takes events out of its mailbox
    // and writes them, as long as there are any and Write() is true (task 1).
    // TODO 8: Enter() the room, Listen() to the member, and Leave() (task 1).
    // TODO 9: refuse a name that is taken in the room (task 2).
    // TODO 10: let the thread write what still waits, and join() it (task 1).
    return {StatusCode::UNIMPLEMENTED, "TODO 5: Talk"};
  }

  // Says what the member says, until it is silent for good or makes a mistake.
  grpc::Status Listen(const Join& join, Stream* stream) {
    // TODO 11: read until there is no more, and Say() each text (task 1).
    // TODO 12: refuse a second join (task 1).
    // TODO 13: refuse a text that is empty or too long (task 1).
    return {StatusCode::UNIMPLEMENTED, "TODO 11: Listen"};
  }

  // INVALID_ARGUMENT unless the name of a room or a member is a good one.
  static grpc::Status CheckName(const std::string& field,
                                const std::string& name) {
    return CheckSize(field, name, 64);
  }

  // INVALID_ARGUMENT unless somebody may say this.
  static grpc::Status CheckText(const std::string& text) {
    return CheckSize("text", text, 4'000);
  }

  static grpc::Status CheckSize(const std::string& field,
                                const std::string& value, std::size_t limit) {
    if (!value.empty() && value.size() <= limit) return grpc::Status::OK;
    return {StatusCode::INVALID_ARGUMENT,
            field + ": must have 1 to " + std::to_string(limit) + " bytes"};
  }

  Rooms rooms_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  CLI::App app("Rooms in which people talk.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  ChatService service;
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  return workshop::ServeUntilStopped(builder, address);
}
