// What exercises/04_chat/README.md promises, one test per promise.

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "lessons/common/program.h"
#include "tests/exercises/04_chat/fake_chat.h"
#include "tests/exercises/04_chat/rooms_test.h"
#include "tests/support/exercise_test.h"
#include "tests/support/fake_server.h"

namespace workshop::testing {
namespace {

using google::protobuf::util::TimeUtil;
using grpc::StatusCode;
using std::chrono::milliseconds;

[[maybe_unused]] const bool kMuch = TakeMuch({"Task3_ManyMembers"});

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
  Join(room_, Name("anna"));
}

TEST_F(Task1_TheRoom, TellsEverybodyWhatIsSaid) {
  Promises(
      "All members of a room get every text, the one who has sent it too, with "
      "the sender's name, whether they say something themselves or not.");
  TwoMembers();
  const auto cleo = Join(room_, Name("cleo"));
  for (Member* const sender : {anna_.get(), cleo.get(), anna_.get()}) {
    Talk(room_, *sender);
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
  anna_ = Join(room_, Name("anna"));
  for (int i = 0; i < 3; ++i) Talk(room_, *anna_);
  ben_ = Join(room_, Name("ben"));
  Talk(room_, *ben_);
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
  Room red = NewRoom(), blue = NewRoom();
  const auto anna_in_red = Join(red, name);
  const auto anna_in_blue = Join(blue, name);
  for (int i = 0; i < 2; ++i) {
    Talk(red, *anna_in_red);
    Talk(blue, *anna_in_blue);
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
  room_.name.resize(kMaxName, 'r');
  anna_ = Join(room_, name);
  Talk(room_, *anna_, kMaxText);
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

  // anna hears that ben has left; now another call can have ben's name.
  void ExpectBenIsGone() {
    ExpectLeft(room_, *ben_);
    UsuallyIf(StatusCode::ALREADY_EXISTS,
              "The name is still taken: it must be free when the others are "
              "told that its member has left.");
    ben_ = Join(room_, ben_->who());
  }
};

TEST_F(Task2_ComingAndGoing, TellsTheRoomWhoComesAndGoes) {
  Promises(
      "The members of a room are told of everybody who comes, by `joined`, and "
      "who goes, by `left`. Who half-closes leaves; its own `left` is the last "
      "event that it gets, and then its call ends with OK.");
  TwoMembers();
  for (Member* const member : {ben_.get(), anna_.get()}) {
    HalfClose(*member);
    ExpectLeft(room_, *member);
    Usually(kOwnLeft);
    ExpectHears(*member, room_.number, member->who() + " left");
    Usually(kCallEnds);
    ExpectEnd(*member, {StatusCode::OK});
    if (member->Wait({}))
      FailConversation(*member, "something came after its own `left`");
  }
}

TEST_F(Task2_ComingAndGoing, DeliversTheRestAfterAHalfClose) {
  Promises(
      "Who half-closes still gets everything that has happened until it has "
      "left, however long it takes to read that, and then OK.");
  Usually(
      "Others wait for a member that does not read yet, or its call is ended "
      "too early. That is what task 3 is about: only the member's own thread "
      "writes to it, and 1,000 events may wait.");
  anna_ = Join(room_, Name("anna"));
  const auto slow = JoinWithoutReading(room_, Name("slow"));
  const std::int64_t joined = room_.number;
  constexpr int kTexts = 300;
  Flood(kTexts);
  ExpectHeard(room_, LongText(), kTexts);
  Usually(
      "The call ends while events wait for this member: first let the thread "
      "that writes them come to the end of the mailbox, and join it.");
  HalfClose(*slow);
  // Time for a server that forgets the rest. Whether it tells the others that
  // somebody leaves now or after the rest is its own affair.
  anna_->Wait(milliseconds(200));
  ExpectCatchesUp(*slow, joined, kTexts);
  Usually(kOwnLeft);
  ExpectHears(*slow, joined + kTexts + 1, slow->who() + " left");
  ExpectEnd(*slow, {StatusCode::OK});
}

TEST_F(Task2_ComingAndGoing, RefusesANameThatIsTaken) {
  Promises(
      "Who joins under a name that somebody in the room has is refused with "
      "ALREADY_EXISTS, and a message. The room is told nothing, and whoever "
      "has the name goes on.");
  Usually("The name is not looked up before the member is added.");
  TwoMembers();
  ExpectRefused({JoinRequest(room_.name, ben_->who())},
                StatusCode::ALREADY_EXISTS);
  Usually(
      "The refused call has left the room of the member who has the name, or "
      "has been announced: it has never been in it.");
  Talk(room_, *ben_);
  ExpectRefused({JoinRequest(room_.name, ben_->who())},
                StatusCode::ALREADY_EXISTS);
}

TEST_F(Task2_ComingAndGoing, FreesTheNameOfWhoHasLeft) {
  Promises(
      "When a call has ended, the room has been told, and the name is free.");
  TwoMembers();
  Leave(*ben_);
  ExpectBenIsGone();
}

TEST_F(Task2_ComingAndGoing, NoticesACancelledCall) {
  Promises(
      "A member that cancels its call has left: the others are told, and its "
      "name is free.");
  TwoMembers();
  Did("ben cancels its call");
  ben_->Cancel();
  ExpectBenIsGone();
}

TEST_F(Task2_ComingAndGoing, NoticesAKilledClient) {
  Promises(
      "A member whose process is killed has left: the others are told, and its "
      "name is free.");
  Usually(
      "All that a server sees of it is that Read() is false, as after a "
      "half-close, and Write() too: neither may be taken for something else, "
      "or be tried again.");
  anna_ = Join(room_, Name("anna"));
  Wire wire(Address());
  ben_ = Join(room_, Name("ben"), wire.channel());
  Did("ben's process is killed");
  wire.Cut();
  ExpectBenIsGone();
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
  ExpectBenIsGone();
}

TEST_F(Task2_ComingAndGoing, ForgetsAnEmptyRoom) {
  NumbersMatter();
  Promises(
      "A room is there as long as somebody is in it. Who joins one that all "
      "have left finds a new room, which counts from 1.");
  Usually(
      "Rooms are kept when the last member has left. Whoever invents names "
      "could fill the server's memory with them.");
  const std::string name = Name("anna");
  for (int i = 0; i < 2; ++i) {
    Room room = {room_.name, 0, {}};
    Leave(*Join(room, name));
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
    TwoMembers();
    slow_ = JoinWithoutReading(room_, Name("slow"));
  }

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
  Flood(kTexts);
  ExpectHeard(room_, LongText(), kTexts);
}

TEST_F(Task3_ManyMembers, LetsASlowMemberCatchUp) {
  Promises(
      "Nothing is lost to a member that is slow: as long as fewer than 1,000 "
      "events wait for it, it stays in the room and gets all of them, in "
      "order, once it reads.");
  OneOfThreeDoesNotRead();
  const std::int64_t joined = room_.number;
  constexpr int kTexts = 900;
  Flood(kTexts);
  ExpectHeard(room_, LongText(), kTexts);
  Usually(
      "Fewer events may wait than 1,000, or some are dropped when a member "
      "does not read them.");
  ExpectCatchesUp(*slow_, joined, kTexts);
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
  Did(fmt::format("anna sends {} texts of {} bytes", kTexts, kMaxText));
  const std::string left = slow_->who() + " left";
  bool gone = false;
  for (int sent = 0; sent < kTexts && !gone; sent += kAtOnce) {
    SendLongTexts(kAtOnce);
    for (int heard = 0; heard < kAtOnce;) {
      const TalkResponse event = Next(*anna_);
      const std::string what = event.has_left() ? left : LongText();
      if (event.has_left()) {
        gone = true;
      } else {
        ++heard;
      }
      ++room_.number;
      if (event.sequence() != room_.number || WhatHappened(event) != what) {
        FailConversation(*anna_, fmt::format("number {} should be a text of "
                                             "anna's, or that {} has left",
                                             room_.number, slow_->who()));
      }
      ExpectHears(*ben_, room_.number, what);
    }
  }
  Usually(
      "Nothing ends the call of a member that does not read: what waits for it "
      "takes more memory with each event, or is dropped in silence.");
  // It is announced behind the last text, if then.
  if (!gone) ExpectLeft(room_, *slow_);
  slow_->StartReading();
  ExpectEnd(*slow_, {StatusCode::RESOURCE_EXHAUSTED, StatusCode::CANCELLED});
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

  std::string AnyWord() { return Word("word", 6); }

  const std::string room_ = Word("room", 6);
  const std::string name_ = Word("anna", 6);
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
  const std::string first = AnyWord(), second = AnyWord() + " and more";
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
  Fail({run.sent}, came_back);
}

TEST_F(Task4_Client, PrintsWhatHappensWhileNobodyTypes) {
  const std::string promise =
      "The client prints what happens as soon as it comes, each event in a "
      "line on stdout: \"SENDER: TEXT\", \"* SENDER joined\", \"* SENDER "
      "left\".";
  Usually(
      "The client waits for a line to be typed before it looks what has come, "
      "or prints in other words, or without std::endl.");
  const std::string ben = AnyWord(), text = AnyWord() + " and more";
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
  const std::string word = AnyWord(), rest = AnyWord(), ben = AnyWord();
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
    if (messages == 2) Type(AnyWord());
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
  ExpectDeadline(run, milliseconds(300), chat_.call().left);
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
