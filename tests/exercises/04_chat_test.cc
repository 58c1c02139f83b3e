// What exercises/04_chat/README.md promises, one test per promise.

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lessons/common/program.h"
#include "tests/support/conversation.h"
#include "tests/support/exercise_test.h"
#include "tests/support/fake_server.h"
#include "workshop/chat/v1/chat.grpc.pb.h"

namespace workshop::testing {
namespace {

using chat::v1::Chat;
using chat::v1::TalkRequest;
using chat::v1::TalkResponse;
using google::protobuf::util::TimeUtil;
using grpc::StatusCode;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxName = 64;
constexpr std::size_t kMaxText = 4'000;

TalkRequest JoinRequest(const std::string& room, const std::string& name) {
  TalkRequest request;
  request.mutable_join()->set_room(room);
  request.mutable_join()->set_name(name);
  return request;
}

TalkRequest TextRequest(const std::string& text) {
  TalkRequest request;
  request.set_text(text);
  return request;
}

// What an event says, but for its number and time: "anna: hello".
std::string WhatHappened(const TalkResponse& event) {
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
  static constexpr seconds kLimit{25};

  Member(const std::string& name, std::shared_ptr<Chat::Stub> stub)
      : Conversation(
            name,
            [&](grpc::ClientContext* context) { return stub->Talk(context); },
            Settings().patience * kLimit) {}
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

  // A name that nobody can have written into a program.
  std::string Name(const std::string& stem) {
    return fmt::format("{}{}", stem, Random(100, 999'999));
  }
  // A text of its own, of `size` bytes.
  std::string Text(std::size_t size = 20) {
    std::string text = fmt::format("text {}", Random(100'000, 999'999));
    text.resize(size, 'x');
    return text;
  }

  // A member on a connection of its own, which has not joined yet.
  std::unique_ptr<Member> Call(const std::string& name) {
    auto member = std::make_unique<Member>(name, NewChannel(Address()));
    member->StartReading();
    return member;
  }

  // The same for one that will not read before it is told to. It lets the
  // server send it 64 KiB meanwhile, and no more.
  std::unique_ptr<Member> CallWithoutReading(const std::string& name) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return std::make_unique<Member>(name, NewChannel(Address(), arguments));
  }

  const std::string& Address() { return server().address(); }

  void SendJoin(Member& member, const std::string& room) {
    Did(fmt::format("{0} joins room \"{1}\" as \"{0}\"", member.who(), room));
    member.Write(JoinRequest(room, member.who()));
  }

  void Say(Member& member, const std::string& text) {
    Did(fmt::format("{} sends {}", member.who(), TextOf(TextRequest(text))));
    member.Write(TextRequest(text));
  }

  // Joins, and waits until the server has told so.
  std::unique_ptr<Member> Join(const std::string& room, const std::string& name,
                               std::int64_t number) {
    std::unique_ptr<Member> member = Call(name);
    SendJoin(*member, room);
    ExpectHears(*member, number, name + " joined");
    return member;
  }

  void HalfClose(Member& member) {
    Did(member.who() + " half-closes");
    member.HalfClose();
  }

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

  // The member leaves by half-close.
  void Leave(Member& member) {
    HalfClose(member);
    ExpectEnd(member, {StatusCode::OK});
  }

  // A call that sends `requests` is refused with `code`. The message contains
  // `mentions`.
  void ExpectRefused(const std::vector<TalkRequest>& requests, StatusCode code,
                     const std::string& mentions = "") {
    const std::unique_ptr<Member> member = Call("caller");
    for (const TalkRequest& request : requests) {
      Did(fmt::format("caller sends {}", TextOf(request)));
      member->Write(request);
    }
    ExpectEnd(*member, {code}, mentions);
  }

 private:
  bool numbers_matter_ = false;
};

class Task1_TheRoom : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Usually(
        "An event is not put into the mailbox of every member, the sender's "
        "too, or nobody takes it out and writes it: that needs a thread of its "
        "own, since Read() waits.");
    UsuallyIf(StatusCode::OK,
              "Talk() returned although the member has not left: returning "
              "ends the call. Read until Read() is false.");
  }
};

TEST_F(Task1_TheRoom, TellsAMemberThatItHasJoined) {
  Promises(
      "Who joins is told so by the first event of its call: `joined`, with its "
      "own name as sender.");
  Join(Name("room"), Name("anna"), 1);
}

TEST_F(Task1_TheRoom, TellsEverybodyWhatIsSaid) {
  Promises(
      "All members of a room get every text, the one who has sent it too, with "
      "the sender's name, whether they say something themselves or not.");
  const std::string room = Name("room");
  const auto anna = Join(room, Name("anna"), 1);
  const auto ben = Join(room, Name("ben"), 2);
  const auto cleo = Join(room, Name("cleo"), 3);
  ExpectHears(*anna, 2, ben->who() + " joined");
  ExpectHears(*anna, 3, cleo->who() + " joined");
  ExpectHears(*ben, 3, cleo->who() + " joined");
  std::int64_t number = 3;
  for (Member* const sender : {anna.get(), cleo.get(), anna.get()}) {
    const std::string text = Text();
    Say(*sender, text);
    ++number;
    for (Member* const member : {anna.get(), ben.get(), cleo.get()}) {
      ExpectHears(*member, number, sender->who() + ": " + text);
    }
  }
}

TEST_F(Task1_TheRoom, NumbersWhatHappensInARoom) {
  NumbersMatter();
  Promises(
      "The events of a room are numbered 1, 2, 3 and so on, whatever they are "
      "and whoever has caused them.");
  Usually(
      "The number belongs to the room: not to a member, not to the server, and "
      "each event takes the next one, joined and left like texts.");
  const std::string room = Name("room");
  const auto anna = Join(room, Name("anna"), 1);
  std::int64_t number = 1;
  for (int i = 0; i < 3; ++i) {
    const std::string text = Text();
    Say(*anna, text);
    ExpectHears(*anna, ++number, anna->who() + ": " + text);
  }
  const auto ben = Join(room, Name("ben"), ++number);
  ExpectHears(*anna, number, ben->who() + " joined");
  const std::string text = Text();
  Say(*ben, text);
  ExpectHears(*anna, ++number, ben->who() + ": " + text);
  ExpectHears(*ben, number, ben->who() + ": " + text);
}

TEST_F(Task1_TheRoom, TellsTheTime) {
  Promises(
      "`time` is when the event got its number, by the server's clock, in UTC, "
      "to the second or better.");
  Usually(
      "It is not set (1970), in another unit, or in local time: "
      "TimeUtil::GetCurrentTime() is right.");
  const auto anna = Call(Name("anna"));
  SendJoin(*anna, Name("room"));
  for (int i = 0; i < 2; ++i) {
    const std::int64_t before =
        TimeUtil::TimestampToMilliseconds(TimeUtil::GetCurrentTime());
    if (i == 1) Say(*anna, Text());
    const TalkResponse event = Next(*anna);
    const std::int64_t after =
        TimeUtil::TimestampToMilliseconds(TimeUtil::GetCurrentTime());
    const std::int64_t time = TimeUtil::TimestampToMilliseconds(event.time());
    // The first event may be some time old by now, but not as old as the test.
    const std::int64_t oldest = before - (i == 0 ? 60'000 : 1'000);
    if (time >= oldest && time <= after + 1'000) continue;
    FailConversation(
        *anna, fmt::format("the time is {}, and should be {}, within 1 s",
                           TimeUtil::ToString(event.time()),
                           TimeUtil::ToString(
                               TimeUtil::MillisecondsToTimestamp(before))));
  }
}

TEST_F(Task1_TheRoom, KeepsRoomsApart) {
  NumbersMatter();
  Promises(
      "A room hears nothing of another one. Each has its own members, so that "
      "a name can be taken once in each, and its own numbers.");
  Usually(
      "Something is kept for all rooms together that each room needs for "
      "itself: the members, their names, or the number.");
  UsuallyIf(StatusCode::ALREADY_EXISTS,
            "A name is taken in one room only: the others know nothing of it.");
  const std::string name = Name("anna");
  const std::string first = Name("red"), second = Name("blue");
  const auto red = Join(first, name, 1);
  const auto blue = Join(second, name, 1);
  for (std::int64_t number = 2; number < 4; ++number) {
    for (Member* const member : {red.get(), blue.get()}) {
      const std::string text = Text();
      Say(*member, text);
      ExpectHears(*member, number, name + ": " + text);
    }
  }
}

TEST_F(Task1_TheRoom, RefusesATextBeforeTheJoin) {
  Promises(
      "A call whose first message is a text is refused with "
      "FAILED_PRECONDITION, and a message.");
  UsuallyIf(StatusCode::INVALID_ARGUMENT,
            "The text may be a good one. It comes too early, and the same "
            "text is fine after a join: FAILED_PRECONDITION.");
  ExpectRefused({TextRequest(Text())}, StatusCode::FAILED_PRECONDITION);
}

TEST_F(Task1_TheRoom, RefusesASecondJoin) {
  Promises(
      "A second join in a call is refused with FAILED_PRECONDITION, and a "
      "message, whichever room and name it has.");
  const std::string room = Name("room"), name = Name("anna");
  ExpectRefused({JoinRequest(room, name), JoinRequest(room, Name("ben"))},
                StatusCode::FAILED_PRECONDITION);
  ExpectRefused({JoinRequest(Name("red"), name), JoinRequest(room, name)},
                StatusCode::FAILED_PRECONDITION);
}

TEST_F(Task1_TheRoom, RefusesWhatIsEmptyOrTooLong) {
  Promises(
      "INVALID_ARGUMENT, in a message that names the field, for a room or name "
      "of other than 1 to 64 bytes, and a text of other than 1 to 4,000.");
  Usually("The call goes on, since this is not checked.");
  UsuallyIf(StatusCode::OK, "The call ends, and not with a refusal.");
  const std::string long_name(kMaxName + 1, 'n');
  const std::string room = Name("room"), name = Name("anna");
  constexpr StatusCode kCode = StatusCode::INVALID_ARGUMENT;
  ExpectRefused({JoinRequest("", name)}, kCode, "room");
  ExpectRefused({JoinRequest(long_name, name)}, kCode, "room");
  ExpectRefused({JoinRequest(room, "")}, kCode, "name");
  ExpectRefused({JoinRequest(room, long_name)}, kCode, "name");
  ExpectRefused({JoinRequest(room, name), TextRequest("")}, kCode, "text");
  ExpectRefused({JoinRequest(Name("red"), name), TextRequest(Text(4'001))},
                kCode, "text");
}

TEST_F(Task1_TheRoom, TakesTheLongestNamesAndTexts) {
  Promises(
      "A room and a name may have 64 bytes, and a text 4,000. All of it "
      "arrives.");
  UsuallyIf(StatusCode::INVALID_ARGUMENT,
            "The check refuses too much: is it off by one?");
  std::string name = Name("anna");
  name.resize(kMaxName, 'a');
  std::string room = Name("room");
  room.resize(kMaxName, 'r');
  const auto anna = Join(room, name, 1);
  const std::string text = Text(kMaxText);
  Say(*anna, text);
  ExpectHears(*anna, 2, name + ": " + text);
}

class Task2_ComingAndGoing : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Usually(
        "Nobody tells the room: `left` is an event like a text, for all "
        "members, whenever a call of the room ends.");
  }

  static constexpr char kOwnLeft[] =
      "Its own `left` is for the member too: tell the room before the member "
      "is removed from it, and let all that waits be written before the call "
      "ends.";
  static constexpr char kCallEnds[] =
      "The room has been told, but the call goes on: its handler waits for "
      "what does not come (a thread that nobody tells to stop, a lock that "
      "stays locked), or a member that is gone is still in the room, and its "
      "memory is used.";

  // Two members of a room; both have heard all.
  void TwoMembers() {
    room_ = Name("room");
    anna_ = Join(room_, Name("anna"), 1);
    ben_ = Join(room_, Name("ben"), 2);
    ExpectHears(*anna_, 2, ben_->who() + " joined");
  }

  // anna has heard as number `number` that ben has left; now another call can
  // have ben's name.
  void ExpectBenIsGone(std::int64_t number) {
    ExpectHears(*anna_, number, ben_->who() + " left");
    UsuallyIf(StatusCode::ALREADY_EXISTS,
              "The name is still taken: it must be free when the others are "
              "told that its member has left.");
    const auto again = Join(room_, ben_->who(), number + 1);
    ExpectHears(*anna_, number + 1, ben_->who() + " joined");
  }

  std::string room_;
  std::unique_ptr<Member> anna_;
  std::unique_ptr<Member> ben_;
};

TEST_F(Task2_ComingAndGoing, TellsTheRoomWhoComesAndGoes) {
  Promises(
      "The members of a room are told of everybody who comes, by `joined`, and "
      "who goes, by `left`. Who half-closes leaves; its own `left` is the last "
      "event that it gets, and then its call ends with OK.");
  TwoMembers();
  HalfClose(*ben_);
  ExpectHears(*anna_, 3, ben_->who() + " left");
  Usually(kOwnLeft);
  ExpectHears(*ben_, 3, ben_->who() + " left");
  Usually(kCallEnds);
  ExpectEnd(*ben_, {StatusCode::OK});
  if (ben_->Wait({}))
    FailConversation(*ben_, "something came after its own `left`");
  HalfClose(*anna_);
  Usually(kOwnLeft);
  ExpectHears(*anna_, 4, anna_->who() + " left");
  Usually(kCallEnds);
  ExpectEnd(*anna_, {StatusCode::OK});
}

TEST_F(Task2_ComingAndGoing, DeliversTheRestAfterAHalfClose) {
  Promises(
      "Who half-closes still gets everything that has happened until it has "
      "left, however long it takes to read that, and then OK.");
  Usually(
      "Others wait for a member that does not read yet, or its call is ended "
      "too early. That is what task 3 is about: only the member's own thread "
      "writes to it, and 1,000 events may wait.");
  room_ = Name("room");
  anna_ = Join(room_, Name("anna"), 1);
  const auto slow = CallWithoutReading(Name("slow"));
  SendJoin(*slow, room_);
  ExpectHears(*anna_, 2, slow->who() + " joined");
  constexpr int kTexts = 300;
  const std::string text = Text(kMaxText);
  Did(
      fmt::format("anna sends {} texts of {} bytes; {} half-closes and reads "
                  "then",
                  kTexts, kMaxText, slow->who()));
  for (int i = 0; i < kTexts; ++i) anna_->Write(TextRequest(text));
  for (int i = 0; i < kTexts; ++i) {
    ExpectHears(*anna_, i + 3, anna_->who() + ": " + text);
  }
  Usually(
      "The call ends while events wait for this member: first let the thread "
      "that writes them come to the end of the mailbox, and join it.");
  slow->HalfClose();
  // Time for a server that forgets the rest. Whether it tells the others that
  // somebody leaves now or after the rest is its own affair.
  anna_->Wait(milliseconds(200));
  slow->StartReading();
  ExpectHears(*slow, 2, slow->who() + " joined");
  for (int i = 0; i < kTexts; ++i) {
    ExpectHears(*slow, i + 3, anna_->who() + ": " + text);
  }
  Usually(kOwnLeft);
  ExpectHears(*slow, kTexts + 3, slow->who() + " left");
  ExpectEnd(*slow, {StatusCode::OK});
}

TEST_F(Task2_ComingAndGoing, RefusesANameThatIsTaken) {
  Promises(
      "Who joins under a name that somebody in the room has is refused with "
      "ALREADY_EXISTS, and a message. The room is told nothing, and whoever "
      "has the name goes on.");
  Usually("The name is not looked up before the member is added.");
  TwoMembers();
  ExpectRefused({JoinRequest(room_, ben_->who())}, StatusCode::ALREADY_EXISTS);
  Usually(
      "The refused call has left the room of the member who has the name, or "
      "has been announced: it has never been in it.");
  const std::string text = Text();
  Say(*ben_, text);
  ExpectHears(*anna_, 3, ben_->who() + ": " + text);
  ExpectHears(*ben_, 3, ben_->who() + ": " + text);
  ExpectRefused({JoinRequest(room_, ben_->who())}, StatusCode::ALREADY_EXISTS);
}

TEST_F(Task2_ComingAndGoing, FreesTheNameOfWhoHasLeft) {
  Promises(
      "When a call has ended, the room has been told, and the name is free.");
  TwoMembers();
  Leave(*ben_);
  ExpectBenIsGone(3);
}

TEST_F(Task2_ComingAndGoing, NoticesACancelledCall) {
  Promises(
      "A member that cancels its call has left: the others are told, and its "
      "name is free.");
  TwoMembers();
  Did("ben cancels its call");
  ben_->Cancel();
  ExpectBenIsGone(3);
}

TEST_F(Task2_ComingAndGoing, NoticesAKilledClient) {
  Promises(
      "A member whose process is killed has left: the others are told, and its "
      "name is free.");
  Usually(
      "All that a server sees of it is that Read() is false, as after a "
      "half-close, and Write() too: neither may be taken for something else, "
      "or be tried again.");
  room_ = Name("room");
  anna_ = Join(room_, Name("anna"), 1);
  Wire wire(Address());
  ben_ = std::make_unique<Member>(Name("ben"), wire.channel());
  ben_->StartReading();
  SendJoin(*ben_, room_);
  ExpectHears(*ben_, 2, ben_->who() + " joined");
  ExpectHears(*anna_, 2, ben_->who() + " joined");
  Did("ben's process is killed");
  wire.Cut();
  ExpectBenIsGone(3);
}

TEST_F(Task2_ComingAndGoing, TellsTheRoomOfAMemberThatIsRefused) {
  Promises(
      "A refusal ends the call, so that its member has left: the others are "
      "told, and its name is free.");
  Usually(
      "The handler returns from the middle and never comes to the line that "
      "leaves the room.");
  TwoMembers();
  Say(*ben_, Text(kMaxText + 1));
  ExpectEnd(*ben_, {StatusCode::INVALID_ARGUMENT}, "text");
  ExpectBenIsGone(3);
}

TEST_F(Task2_ComingAndGoing, ForgetsAnEmptyRoom) {
  NumbersMatter();
  Promises(
      "A room is there as long as somebody is in it. Who joins one that all "
      "have left finds a new room, which counts from 1.");
  Usually(
      "Rooms are kept when the last member has left. Whoever invents names "
      "could fill the server's memory with them.");
  const std::string room = Name("room"), name = Name("anna");
  for (int i = 0; i < 2; ++i) {
    const auto anna = Join(room, name, 1);
    Leave(*anna);
  }
}

TEST_F(Task2_ComingAndGoing, StopsWhileMembersAreThere) {
  Promises(
      "A server that gets SIGTERM or SIGINT ends within 5 seconds, with status "
      "0, also if members stay in their rooms.");
  Read("exercises/04_chat/README.md#the-server");
  Usually(
      "Shutdown() cancels the calls that go on, and then waits for their "
      "handlers. One of them does not return: does a thread wait for events "
      "that will not come, or for a member that has gone?");
  TwoMembers();
  ExpectServerStops();
}

class Task3_ManyMembers : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    NumbersMatter();
    Usually(
        "Whoever publishes waits for somebody, in Write() or for a lock that "
        "is held meanwhile. Let each member have a thread that writes to it, "
        "and only put events into its mailbox.");
    for (const StatusCode code :
         {StatusCode::RESOURCE_EXHAUSTED, StatusCode::CANCELLED}) {
      UsuallyIf(code, "The call is ended too early: 1,000 events may wait.");
    }
  }

  // A room with two members that read and one that does not.
  void OneOfThreeDoesNotRead() {
    room_ = Name("room");
    anna_ = Join(room_, Name("anna"), 1);
    ben_ = Join(room_, Name("ben"), 2);
    slow_ = CallWithoutReading(Name("slow"));
    SendJoin(*slow_, room_);
    Did(slow_->who() + " does not read from now on");
    ExpectHears(*anna_, 2, ben_->who() + " joined");
    ExpectHears(*anna_, 3, slow_->who() + " joined");
    ExpectHears(*ben_, 3, slow_->who() + " joined");
    text_ = Text(kMaxText);
  }

  // anna sends `count` texts at once.
  void SendTexts(int count) {
    for (int i = 0; i < count; ++i) anna_->Write(TextRequest(text_));
  }

  // The two who read hear texts up to the number `last`.
  void ExpectTextsUpTo(std::int64_t last) {
    while (number_ < last) {
      ++number_;
      ExpectHears(*anna_, number_, anna_->who() + ": " + text_);
      ExpectHears(*ben_, number_, anna_->who() + ": " + text_);
    }
  }

  std::string room_;
  std::string text_;
  std::int64_t number_ = 3;  // of the last event that all have heard
  std::unique_ptr<Member> anna_;
  std::unique_ptr<Member> ben_;
  std::unique_ptr<Member> slow_;
};

TEST_F(Task3_ManyMembers, TellsFiftyMembersEverythingInOneOrder) {
  Promises(
      "All members of a room get the same events in the same order, by their "
      "numbers, however many talk at once: 50 members that say 20 texts each "
      "get all 1,000.");
  UsuallyIf(StatusCode::UNAVAILABLE,
            "Two threads have used something at once that is not made for "
            "that, such as two Write() on one stream.");
  Usually(
      "An event takes its number and is put into the mailboxes, and between "
      "the two another thread does the same: both belong under one lock.");
  constexpr int kMembers = 50;
  constexpr int kTexts = 20;
  constexpr int kAtOnce = 10;  // so that never 1,000 events wait
  constexpr int kThreads = 5;
  const std::string room = Name("room");
  std::vector<std::unique_ptr<Member>> members;
  Did(
      fmt::format("{} members join room \"{}\" and send {} texts each, up to "
                  "{} before they hear what the others have sent",
                  kMembers, room, kTexts, kAtOnce));
  for (int i = 1; i <= kMembers; ++i) {
    members.push_back(Call(fmt::format("member{}", i)));
    members.back()->Write(JoinRequest(room, members.back()->who()));
    ExpectHears(*members.back(), i, members.back()->who() + " joined");
  }
  for (int i = 1; i <= kMembers; ++i) {
    for (int j = i + 1; j <= kMembers; ++j) {
      ExpectHears(*members[i - 1], j, fmt::format("member{} joined", j));
    }
  }
  const std::string mark = Text();
  const auto text = [&](int i) { return fmt::format("{} {}", mark, i); };
  std::int64_t number = kMembers;
  std::map<std::string, int> said;  // by each member, so far
  for (int begin = 0; begin < kTexts; begin += kAtOnce) {
    std::vector<std::thread> threads;
    for (int first = 0; first < kThreads; ++first) {
      threads.emplace_back([&, first] {
        for (int i = begin; i < begin + kAtOnce; ++i) {
          for (int j = first; j < kMembers; j += kThreads) {
            members[j]->Write(TextRequest(text(i)));
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (int i = 0; i < kMembers * kAtOnce; ++i) {
      ++number;
      // Whoever comes first in it, each member says its texts in order.
      const TalkResponse event = Next(*members[0]);
      const std::string what = WhatHappened(event);
      const int nth = said[event.sender()]++;
      if (event.sequence() != number || event.text() != text(nth)) {
        FailConversation(
            *members[0],
            fmt::format("this should be number {}, and if {} has sent "
                        "it, the text \"{}\"",
                        number, event.sender(), text(nth)));
      }
      for (int j = 1; j < kMembers; ++j) {
        ExpectHears(*members[j], number, what);
      }
    }
  }
}

TEST_F(Task3_ManyMembers, DoesNotWaitForASlowMember) {
  Promises(
      "A member that does not read delays nobody: the others get every event "
      "at once.");
  OneOfThreeDoesNotRead();
  constexpr int kTexts = 300;
  Did(fmt::format("anna sends {} texts of {} bytes", kTexts, text_.size()));
  SendTexts(kTexts);
  ExpectTextsUpTo(number_ + kTexts);
}

TEST_F(Task3_ManyMembers, LetsASlowMemberCatchUp) {
  Promises(
      "Nothing is lost to a member that is slow: as long as fewer than 1,000 "
      "events wait for it, it stays in the room and gets all of them, in "
      "order, once it reads.");
  OneOfThreeDoesNotRead();
  constexpr int kTexts = 900;
  Did(fmt::format("anna sends {} texts of {} bytes; {} reads again then",
                  kTexts, text_.size(), slow_->who()));
  SendTexts(kTexts);
  ExpectTextsUpTo(number_ + kTexts);
  Usually(
      "Fewer events may wait than 1,000, or some are dropped when a member "
      "does not read them.");
  slow_->StartReading();
  ExpectHears(*slow_, 3, slow_->who() + " joined");
  for (int i = 0; i < kTexts; ++i) {
    ExpectHears(*slow_, i + 4, anna_->who() + ": " + text_);
  }
}

TEST_F(Task3_ManyMembers, EndsTheCallOfAMemberThatReadsNoMore) {
  Promises(
      "Once 1,000 events wait for a member, its call is ended, with "
      "RESOURCE_EXHAUSTED or CANCELLED, and the others are told that it has "
      "left. They lose nothing.");
  UsuallyIf(StatusCode::OK,
            "OK says that all is well. The synchronous API can only cancel a "
            "call whose Write() waits: ServerContext::TryCancel().");
  OneOfThreeDoesNotRead();
  // More than the 1,000 by all that gRPC may hold besides.
  constexpr int kTexts = 1'500;
  constexpr int kAtOnce = 100;
  Did(fmt::format("anna sends {} texts of {} bytes", kTexts, text_.size()));
  int heard = 0;
  bool gone = false;
  for (int sent = kAtOnce; sent <= kTexts && !gone; sent += kAtOnce) {
    SendTexts(kAtOnce);
    while (heard < sent) {
      ++number_;
      const TalkResponse event = Next(*anna_);
      if (WhatHappened(event) == slow_->who() + " left") {
        gone = true;
      } else {
        ++heard;
      }
      const std::string what = event.has_left() ? slow_->who() + " left"
                                                : anna_->who() + ": " + text_;
      if (event.sequence() != number_ || WhatHappened(event) != what) {
        FailConversation(*anna_, fmt::format("number {} should be a text of "
                                             "anna's, or that {} has left",
                                             number_, slow_->who()));
      }
      ExpectHears(*ben_, number_, what);
    }
  }
  Usually(
      "Nothing ends the call of a member that does not read: what waits for it "
      "takes more memory with each event, or is dropped in silence.");
  if (!gone) {
    // It is announced behind the last text, if then.
    ExpectHears(*anna_, ++number_, slow_->who() + " left");
    ExpectHears(*ben_, number_, slow_->who() + " left");
  }
  slow_->StartReading();
  ExpectEnd(*slow_, {StatusCode::RESOURCE_EXHAUSTED, StatusCode::CANCELLED});
}

// A server that the learner's client talks to: it echoes, and says more if the
// test wants it to.
class FakeChat final : public Chat::Service {
 public:
  // What it says after the join, and after the half-close.
  std::vector<TalkResponse> first;
  std::vector<TalkResponse> last;
  // How it ends the call, and after how many messages; 0: at the half-close.
  grpc::Status status = grpc::Status::OK;
  int ends_after = 0;
  bool answers = true;

  struct Call {
    std::vector<std::string> requests;
    bool half_closed = false;
    std::chrono::duration<double> left{};  // to its deadline, at the beginning
  };
  Call call() {
    const std::lock_guard lock(mutex_);
    return call_;
  }

 private:
  using Stream = grpc::ServerReaderWriter<TalkResponse, TalkRequest>;

  grpc::Status Talk(grpc::ServerContext* context, Stream* stream) override {
    {
      const std::lock_guard lock(mutex_);
      call_.left = context->deadline() - std::chrono::system_clock::now();
    }
    if (!answers) {
      WaitUntilCancelled(*context);
      return grpc::Status::CANCELLED;
    }
    TalkRequest request;
    std::string name;
    int messages = 0;
    while (stream->Read(&request)) {
      {
        const std::lock_guard lock(mutex_);
        call_.requests.push_back(TextOf(request));
      }
      if (++messages == ends_after) return status;
      if (request.has_join()) {
        name = request.join().name();
        for (const TalkResponse& event : first) stream->Write(event);
      } else {
        TalkResponse echo;
        echo.set_sender(name);
        echo.set_text(request.text());
        stream->Write(echo);
      }
    }
    {
      const std::lock_guard lock(mutex_);
      call_.half_closed = true;
    }
    for (const TalkResponse& event : last) stream->Write(event);
    return status;
  }

  std::mutex mutex_;
  Call call_;  // guarded by mutex_
};

TalkResponse Joined(const std::string& who) {
  TalkResponse event;
  event.set_sender(who);
  event.mutable_joined();
  return event;
}

TalkResponse Left(const std::string& who) {
  TalkResponse event;
  event.set_sender(who);
  event.mutable_left();
  return event;
}

TalkResponse Said(const std::string& who, const std::string& text) {
  TalkResponse event;
  event.set_sender(who);
  event.set_text(text);
  return event;
}

// Runs the learner's client against a server of the suite's.
class Task4_Client : public ExerciseTest {
 protected:
  void SetUp() override { Read("exercises/04_chat/README.md#the-client"); }

  // Starts the client as `client --address ADDRESS --room ROOM --name NAME`,
  // with `more` behind it.
  void Start(const std::string& scene, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {
        "--address", server_.address(), "--room", room_, "--name", name_};
    arguments.insert(arguments.end(), more.begin(), more.end());
    StartClient(std::move(arguments), scene);
  }

  // Types a line.
  void Type(const std::string& line) { client().Write(line + "\n"); }

  // The client prints `line` while its stdin is open, as it has promised.
  void ExpectPrints(const std::string& promise, const std::string& line) {
    Promises(promise);
    const milliseconds limit = Patience(kCallLimit);
    if (client().WaitForLine(line, limit) == "") return;
    client().CloseStdin();
    const ClientRun run = EndOfClient();
    Promises(promise + fmt::format(" Here: the line \"{}\", while its stdin "
                                   "is still open.",
                                   line));
    ExpectOf(run, false);
  }

  // The client exited with 1 and named `code` on stderr.
  void ExpectReported(const ClientRun& run, StatusCode code) {
    if (run.exit == Exit{0, 0}) {
      Usually(
          "What Finish() returns is not looked at: Read() is false after a "
          "refusal just as after a good end.");
    } else if (run.exit == Exit{1, 0}) {
      Usually(
          "The name of the code is not on stderr: workshop::CodeName(...) has "
          "it.");
    }
    ExpectOf(run, run.exit == Exit{1, 0} &&
                      run.err.find(CodeName(code)) != std::string::npos);
  }

  std::string Word() { return fmt::format("word{}", Random(1'000, 999'999)); }

  const std::string room_ = fmt::format("room{}", Random(1'000, 999'999));
  const std::string name_ = fmt::format("anna{}", Random(1'000, 999'999));
  FakeChat chat_;
  FakeServer server_{&chat_};
};

TEST_F(Task4_Client, SaysWhatIsTyped) {
  const std::string promise =
      "The client joins ROOM as NAME, sends each line of its stdin as soon as "
      "it is complete, but for empty lines, and prints what comes meanwhile.";
  Usually(
      "The join is not the first message, or a thread is missing: one reads "
      "stdin and writes to the stream, another reads from the stream and "
      "prints. Printed lines must be flushed: std::endl.");
  Start("two lines and an empty one are typed, and echoed by the server");
  const std::string first = Word(), second = Word() + " and more";
  std::vector<std::string> expected = {TextOf(JoinRequest(room_, name_))};
  for (const std::string& text : {first, second}) {
    Type(text);
    ExpectPrints(promise, name_ + ": " + text);
    Type("");
    expected.push_back(TextOf(TextRequest(text)));
  }
  client().CloseStdin();
  const ClientRun run = EndOfClient();
  ExpectOf(run, run.exit == Exit{0, 0});
  const std::vector<std::string> actual = chat_.call().requests;
  if (actual == expected) return;
  Usually("An empty line is sent, a line twice, or with its newline.");
  std::vector<std::string> came_back = {"the server got:"};
  came_back.insert(came_back.end(), actual.begin(), actual.end());
  Fail(grader::v1::FAIL, {run.sent}, came_back);
}

TEST_F(Task4_Client, PrintsWhatHappensWhileNobodyTypes) {
  const std::string promise =
      "The client prints what happens as soon as it comes, each event in a "
      "line on stdout: \"SENDER: TEXT\", \"* SENDER joined\", \"* SENDER "
      "left\".";
  Usually(
      "The client waits for a line to be typed before it looks what has come, "
      "or prints in other words, or without std::endl.");
  const std::string ben = Word(), text = Word() + " and more";
  chat_.first = {Joined(ben), Said(ben, text), Left(ben)};
  Start(
      fmt::format("nobody types; the server tells that {} joins, says \"{}\" "
                  "and leaves",
                  ben, text));
  ExpectPrints(promise, fmt::format("* {} joined", ben));
  ExpectPrints(promise, fmt::format("{}: {}", ben, text));
  ExpectPrints(promise, fmt::format("* {} left", ben));
  client().CloseStdin();
  const ClientRun run = EndOfClient();
  Usually("Something else is printed on stdout, or a line twice.");
  ExpectOf(run,
           run.exit == Exit{0, 0} &&
               run.out == fmt::format("* {0} joined\n{0}: {1}\n* {0} left\n",
                                      ben, text));
}

TEST_F(Task4_Client, HalfClosesAtTheEndOfItsInput) {
  Promises(
      "At the end of stdin the client half-closes, prints what still comes "
      "until the server has ended the call, and exits with 0.");
  Usually(
      "The call is cancelled or left when the input ends. WritesDone() says "
      "that no more will be written; go on reading until Read() is false.");
  const std::string word = Word(), rest = Word(), ben = Word();
  for (int i = 0; i < 50; ++i) chat_.last.push_back(Said(ben, rest));
  chat_.last.push_back(Left(name_));
  Start(
      fmt::format("one line is typed, without a newline at its end, and "
                  "stdin ends; the server says {} lines more",
                  chat_.last.size()));
  client().Write(word);
  client().CloseStdin();
  const ClientRun run = EndOfClient();
  if (!run.exit) {
    Usually(
        "The half-close is missing: without WritesDone() the server waits for "
        "more texts, and the client for the end of the call.");
  }
  std::string expected = name_ + ": " + word + "\n";
  for (int i = 0; i < 50; ++i) expected += ben + ": " + rest + "\n";
  expected += fmt::format("* {} left\n", name_);
  ExpectOf(run, run.exit == Exit{0, 0} && run.out == expected);
}

TEST_F(Task4_Client, ReportsARefusalWhileNobodyTypes) {
  Usually(
      "One thread still waits for a line, so that the program does not end: "
      "Lines::Stop() ends that, once Read() is false.");
  for (const int messages : {1, 2}) {
    // Any from NOT_FOUND to FAILED_PRECONDITION.
    const auto code = static_cast<StatusCode>(Random(5, 9));
    Promises(fmt::format(
        "If the server ends the call, the client ends too, though its stdin is "
        "still open: with the name of the code, {}, on stderr and status 1.",
        CodeName(code)));
    chat_.ends_after = messages;
    chat_.status = {code, "not today"};
    Start(fmt::format("its stdin stays open; the server answers {} with {}",
                      messages == 1 ? "the join" : "the first text",
                      CodeName(code)));
    if (messages == 2) Type(Word());
    ExpectReported(EndOfClient(), code);
  }
}

TEST_F(Task4_Client, ReportsAServerThatIsNotThere) {
  Promises(
      "Without a server the client says UNAVAILABLE on stderr and exits with "
      "1, though its stdin is open.");
  StartClient(
      {"--address", "unix:no_server.sock", "--room", room_, "--name", name_},
      "nobody listens there");
  const ClientRun run = EndOfClient();
  if (!run.exit) {
    Usually(
        "The client waits for a line to be typed, or for a server that will "
        "not come: set_wait_for_ready(true), or WaitForConnected().");
  }
  ExpectReported(run, StatusCode::UNAVAILABLE);
}

TEST_F(Task4_Client, EndsWithinItsTimeout) {
  Promises(
      "`--timeout` is the deadline of the whole conversation: when it has "
      "passed, the client says DEADLINE_EXCEEDED on stderr and exits with 1.");
  chat_.answers = false;
  Start("its stdin stays open; the server never says anything",
        {"--timeout", "0.3"});
  const ClientRun run = EndOfClient();
  if (!run.exit) {
    Usually(
        "The context has no deadline, or not the one that was asked for: then "
        "Read() waits for ever.");
  }
  ExpectReported(run, StatusCode::DEADLINE_EXCEEDED);
  // Told by the deadline that the server has seen, and not by how long the
  // client took: that depends on how busy the machine is.
  const std::chrono::duration<double> left = chat_.call().left;
  if (left < milliseconds(500)) return;
  Usually("The deadline is always the same, whatever --timeout says.");
  Fail(grader::v1::FAIL, {run.sent},
       {fmt::format("the server was called with {:.2g} s left", left.count())});
}

TEST_F(Task4_Client, RejectsBadUsage) {
  Promises(
      "Without a room or a name the client calls nothing, says why on stderr, "
      "and exits with 2.");
  const std::vector<std::string> mistakes[] = {
      {}, {"--room", room_}, {"--name", name_}};
  for (std::vector<std::string> arguments : mistakes) {
    arguments.insert(arguments.begin(), {"--address", server_.address()});
    const ClientRun run = RunClient(arguments, "");
    Usually(run.exit == Exit{1, 0}
                ? "1 says that a call has failed. workshop::ParseFlags() "
                  "returns what bad usage exits with: kBadUsage, which is 2."
                : "The arguments are used as they come. CLI11 can check them: "
                  "required().");
    ExpectOf(run, run.exit == Exit{2, 0} && run.out.empty() &&
                      !run.err.empty() && chat_.call().requests.empty());
  }
}

}  // namespace
}  // namespace workshop::testing
