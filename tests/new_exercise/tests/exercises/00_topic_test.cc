// What the README of 00_topic promises, one test per promise.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/support/exercise_test.h"
#include "workshop/topic/v1/topic.grpc.pb.h"

namespace workshop::testing {
namespace {

namespace v1 = topic::v1;

// Calls a fresh server of the learner's.
class ServerTest : public ExerciseTest {
 protected:
  void SetUp() override {
    StartServer();
    stub_ = v1::Topic::NewStub(channel());
  }

  Outcome<v1::RepeatResponse> Repeat(const std::string& text, int times) {
    v1::RepeatRequest request;
    request.set_text(text);
    request.set_times(times);
    return Call("Repeat", *stub_, &v1::Topic::Stub::Repeat, request);
  }

 private:
  std::unique_ptr<v1::Topic::Stub> stub_;
};

class Task1_Repeat : public ServerTest {};

TEST_F(Task1_Repeat, RepeatsTheText) {
  Promises("Repeat answers with the text, as often as was asked for.");
  Usually("The loop runs once too often, or once too few.");
  for (const int times : {1, 2, 100}) {
    const std::string word = Word("a", 5);
    v1::RepeatResponse expected;
    for (int i = 0; i < times; ++i) *expected.mutable_text() += word;
    ExpectResponse(Repeat(word, times), expected);
  }
}

TEST_F(Task1_Repeat, RepeatsTheEmptyText) {
  Promises("The text may be empty, and so is its repetition.");
  ExpectResponse(Repeat("", static_cast<int>(Random(1, 100))),
                 v1::RepeatResponse());
}

class Task2_Refusals : public ServerTest {};

TEST_F(Task2_Refusals, RefusesFewerThanOne) {
  Promises(
      "Repeat refuses fewer than one repetition with INVALID_ARGUMENT, in a "
      "message that names `times`.");
  UsuallyIf(grpc::StatusCode::OK, "The request is not looked at first.");
  const auto kCode = grpc::StatusCode::INVALID_ARGUMENT;
  ExpectRefusal(Repeat(Word("a", 5), 0), kCode, "times");
  const int negative = static_cast<int>(Random(-1000, -1));
  ExpectRefusal(Repeat(Word("a", 5), negative), kCode, "times");
}

TEST_F(Task2_Refusals, RefusesMoreThanAHundred) {
  Promises(
      "Repeat refuses more than 100 repetitions with INVALID_ARGUMENT, in a "
      "message that names `times`.");
  UsuallyIf(grpc::StatusCode::OK, "Only one end of the range is checked.");
  ExpectRefusal(Repeat(Word("a", 5), 101), grpc::StatusCode::INVALID_ARGUMENT,
                "times");
}

}  // namespace
}  // namespace workshop::testing
