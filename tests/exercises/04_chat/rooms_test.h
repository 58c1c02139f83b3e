// What the tests of this suite have in common: rooms of a learner's server, and
// who talks in them.

#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lessons/common/program.h"
#include "tests/support/conversation.h"
#include "tests/support/exercise_test.h"
#include "workshop/chat/v1/chat.grpc.pb.h"

namespace workshop::testing {

using chat::v1::Chat;
using chat::v1::TalkRequest;
using chat::v1::TalkResponse;

inline constexpr std::size_t kMaxName = 64;
inline constexpr std::size_t kMaxText = 4'000;

inline TalkRequest JoinRequest(const std::string& room,
                               const std::string& name) {
  TalkRequest request;
  request.mutable_join()->set_room(room);
  request.mutable_join()->set_name(name);
  return request;
}

inline TalkRequest TextRequest(const std::string& text) {
  TalkRequest request;
  request.set_text(text);
  return request;
}

// What an event says, but for its number and time: "anna: hello".
inline std::string WhatHappened(const TalkResponse& event) {
  switch (event.event_case()) {
    case TalkResponse::kText:
      return event.sender() + ": " + event.text();
    case TalkResponse::kJoined:
      return event.sender() + " joined";
    case TalkResponse::kLeft:
      return event.sender() + " left";
    default:
      return event.sender() + ", and neither text, joined nor left";
  }
}

// A conversation with the learner's server under a name.
class Member : public Conversation<TalkRequest, TalkResponse> {
 public:
  Member(const std::string& name, std::shared_ptr<grpc::Channel> channel)
      : Member(name, Chat::NewStub(channel)) {}

 private:
  // The whole of a test's conversations; each wait in it has its own limit.
  static constexpr std::chrono::seconds kLimit{25};

  Member(const std::string& name, std::shared_ptr<Chat::Stub> stub)
      : Conversation(
            name,
            [&](grpc::ClientContext* context) { return stub->Talk(context); },
            kLimit) {}
};

// A room as it should be.
struct Room {
  std::string name;
  std::int64_t number = 0;         // of the last event
  std::vector<Member*> listeners;  // its members, but for who does not read
};

// Talks in rooms of a fresh server of the learner's.
class ServerTest : public ExerciseTest {
 protected:
  void SetUp() override {
    StartServer();
    UsuallyIfKilledBy(
        SIGABRT,
        "If stderr says \"terminate called without an active exception\": a "
        "std::thread was destroyed that nobody has joined; every way out of "
        "the handler must join it. If it speaks of too many operations: two "
        "threads have written to one stream at once.");
    UsuallyIfKilledBy(
        SIGSEGV,
        "Something is used by two threads at once, or after its end: a map "
        "that changes without a lock, or a member whose handler has returned.");
  }

  // A name that nobody can have written into a program: "anna4711". It is read
  // in many lines, so that its stem should catch the eye.
  std::string Name(const std::string& stem) {
    return stem + std::to_string(Random(100, 999'999));
  }
  // A text of its own, of `size` bytes.
  std::string Text(std::size_t size = 20) {
    std::string text = Word("text ", 6);
    text.resize(size, 'x');
    return text;
  }
  Room NewRoom() { return {Name("room"), 0, {}}; }

  const std::string& Address() { return server().address(); }

  // A member on a connection of its own, which has not joined yet.
  std::unique_ptr<Member> Call(const std::string& name) {
    auto member = std::make_unique<Member>(name, NewChannel(Address()));
    member->StartReading();
    return member;
  }

  // --- What members do.

  void SendJoin(Member& member, const std::string& room) {
    Did(fmt::format("{0} joins room \"{1}\" as \"{0}\"", member.who(), room));
    member.Write(JoinRequest(room, member.who()));
  }
  void Say(Member& member, const std::string& text) {
    Did(fmt::format("{} sends {}", member.who(), TextOf(TextRequest(text))));
    member.Write(TextRequest(text));
  }
  void HalfClose(Member& member) {
    Did(member.who() + " half-closes");
    member.HalfClose();
  }
  // The member leaves by half-close.
  void Leave(Member& member) {
    HalfClose(member);
    ExpectEnd(member, {grpc::StatusCode::OK});
  }

  // --- What they hear of it.

  // Makes ExpectHears() look at the numbers too, in a test that is about them:
  // a mistake in them is told there, and not everywhere.
  void NumbersMatter() { numbers_matter_ = true; }

  // The next event that the member gets is this one.
  void ExpectHears(Member& member, std::int64_t number,
                   const std::string& what) {
    const TalkResponse event = Next(member);
    const bool is_next = !numbers_matter_ || event.sequence() == number;
    if (is_next && WhatHappened(event) == what) return;
    std::string promised =
        what.size() > 100 ? what.substr(0, 50) + "..." : what;
    if (numbers_matter_) promised = fmt::format("{}, {}", number, promised);
    FailConversation(member, "the last event should be: " + promised);
  }

  // The next event in the room is this one, for all who listen.
  void ExpectHeard(Room& room, const std::string& what) {
    ++room.number;
    for (Member* const member : room.listeners) {
      ExpectHears(*member, room.number, what);
    }
  }
  // So are the next `count` ones.
  void ExpectHeard(Room& room, const std::string& what, int count) {
    for (int i = 0; i < count; ++i) ExpectHeard(room, what);
  }

  // The member, on `channel`, joins: the room hears of it.
  std::unique_ptr<Member> Join(Room& room, const std::string& name,
                               std::shared_ptr<grpc::Channel> channel) {
    auto member = std::make_unique<Member>(name, std::move(channel));
    member->StartReading();
    SendJoin(*member, room.name);
    room.listeners.push_back(member.get());
    ExpectHeard(room, name + " joined");
    return member;
  }
  std::unique_ptr<Member> Join(Room& room, const std::string& name) {
    return Join(room, name, NewChannel(Address()));
  }
  // The same for one that will not read before it is told to. It lets the
  // server send it 64 KiB meanwhile, and no more.
  std::unique_ptr<Member> JoinWithoutReading(Room& room,
                                             const std::string& name) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    auto member =
        std::make_unique<Member>(name, NewChannel(Address(), arguments));
    SendJoin(*member, room.name);
    Did(name + " does not read from now on");
    ExpectHeard(room, name + " joined");
    return member;
  }

  // The member says something, and the room hears it.
  void Talk(Room& room, Member& member, std::size_t size = 20) {
    const std::string text = Text(size);
    Say(member, text);
    ExpectHeard(room, member.who() + ": " + text);
  }

  // anna sends the long text `count` times at once, ...
  void Flood(int count) {
    Did(fmt::format("{} sends {} texts of {} bytes", anna_->who(), count,
                    long_text_.size()));
    SendLongTexts(count);
  }
  void SendLongTexts(int count) {
    for (int i = 0; i < count; ++i) anna_->Write(TextRequest(long_text_));
  }
  // ... and this is what is to be heard of it each time.
  std::string LongText() { return anna_->who() + ": " + long_text_; }

  // A member that has not read since it joined, as event number `joined`, does
  // so now, and hears all that anna has said since.
  void ExpectCatchesUp(Member& member, std::int64_t joined, int texts) {
    Did(member.who() + " reads again");
    member.StartReading();
    ExpectHears(member, joined, member.who() + " joined");
    for (int i = 1; i <= texts; ++i) {
      ExpectHears(member, joined + i, LongText());
    }
  }

  // The member is gone: the others hear of it.
  void ExpectLeft(Room& room, const Member& member) {
    std::erase(room.listeners, &member);
    ExpectHeard(room, member.who() + " left");
  }

  // A call that sends `requests` is refused with `code`. The message contains
  // `mentions`.
  void ExpectRefused(const std::vector<TalkRequest>& requests,
                     grpc::StatusCode code, const std::string& mentions = "") {
    const std::unique_ptr<Member> member = Call("caller");
    for (const TalkRequest& request : requests) {
      Did(fmt::format("caller sends {}", TextOf(request)));
      member->Write(request);
    }
    ExpectEnd(*member, {code}, mentions);
  }

  // anna and ben are in a room.
  void TwoMembers() {
    anna_ = Join(room_, Name("anna"));
    ben_ = Join(room_, Name("ben"));
  }

  Room room_ = NewRoom();
  std::unique_ptr<Member> anna_;
  std::unique_ptr<Member> ben_;
  // More than a few of these are not on the way to a member that does not read.
  const std::string long_text_ = Text(kMaxText);

 private:
  bool numbers_matter_ = false;
};

}  // namespace workshop::testing
