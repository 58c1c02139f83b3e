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
    event.set_sequence(++last_sequence);
    event.set_sender(sender);
    *event.mutable_time() = TimeUtil::GetCurrentTime();
    const auto shared = std::make_shared<const TalkResponse>(std::move(event));
    for (const auto& [name, member] : members) {
      // Its handler waits in Read() and its writer in Write(): this ends both.
      if (!member->mailbox.Put(shared)) member->context->TryCancel();
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
    TalkResponse event;
    event.mutable_left();
    room.Publish(join.name(), std::move(event));
    room.members.erase(join.name());
    if (room.members.empty()) rooms_.erase(join.room());
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Room> rooms_;  // guarded by mutex_
};

class ChatService final : public Chat::Service {
  using Stream = grpc::ServerReaderWriter<TalkResponse, TalkRequest>;

  grpc::Status Talk(grpc::ServerContext* context, Stream* stream) override {
    TalkRequest request;
    if (!stream->Read(&request)) return grpc::Status::OK;
    if (!request.has_join()) {
      return {StatusCode::FAILED_PRECONDITION, "join: must come first"};
    }
    const Join join = request.join();
    grpc::Status status = CheckName("room", join.room());
    if (status.ok()) status = CheckName("name", join.name());
    if (!status.ok()) return status;

    Member member{context, {}};
    std::thread writer([&] {
      while (const Event event = member.mailbox.Take()) {
        if (!stream->Write(*event)) return;
      }
    });
    if (rooms_.Enter(join, &member)) {
      status = Listen(join, stream);
      rooms_.Leave(join);
    } else {
      status = {StatusCode::ALREADY_EXISTS, "name: is taken in this room"};
    }
    member.mailbox.Close();  // what waits in it is still written
    writer.join();
    return status;
  }

  // Says what the member says, until it is silent for good or makes a mistake.
  grpc::Status Listen(const Join& join, Stream* stream) {
    TalkRequest request;
    while (stream->Read(&request)) {
      if (request.has_join()) {
        return {StatusCode::FAILED_PRECONDITION, "join: only once in a call"};
      }
      const grpc::Status status = CheckText(request.text());
      if (!status.ok()) return status;
      rooms_.Say(join, request.text());
    }
    return grpc::Status::OK;
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
