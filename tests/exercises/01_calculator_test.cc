// What exercises/01_calculator/README.md promises, one test per promise.

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lessons/common/program.h"
#include "tests/support/exercise_test.h"
#include "tests/support/fake_server.h"
#include "workshop/calculator/v1/calculator.grpc.pb.h"

namespace workshop::testing {
namespace {

using calculator::v1::BinaryRequest;
using calculator::v1::Calculator;
using calculator::v1::DivideResponse;
using calculator::v1::NumberResponse;
using grpc::StatusCode;
using std::chrono::milliseconds;

constexpr std::int64_t kMin = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

BinaryRequest Operands(std::int64_t a, std::int64_t b) {
  BinaryRequest request;
  request.set_a(a);
  request.set_b(b);
  return request;
}

NumberResponse Number(std::int64_t result) {
  NumberResponse response;
  response.set_result(result);
  return response;
}

DivideResponse Division(std::int64_t quotient, std::int64_t remainder) {
  DivideResponse response;
  response.set_quotient(quotient);
  response.set_remainder(remainder);
  return response;
}

// Calls a fresh server of the learner's.
class ServerTest : public ExerciseTest {
 protected:
  void SetUp() override {
    StartServer();
    stub_ = Calculator::NewStub(channel());
  }

  Outcome<NumberResponse> Add(std::int64_t a, std::int64_t b) {
    return Call("Add", *stub_, &Calculator::Stub::Add, Operands(a, b));
  }
  Outcome<NumberResponse> Subtract(std::int64_t a, std::int64_t b) {
    return Call("Subtract", *stub_, &Calculator::Stub::Subtract,
                Operands(a, b));
  }
  Outcome<NumberResponse> Multiply(std::int64_t a, std::int64_t b) {
    return Call("Multiply", *stub_, &Calculator::Stub::Multiply,
                Operands(a, b));
  }
  Outcome<DivideResponse> Divide(std::int64_t a, std::int64_t b) {
    return Call("Divide", *stub_, &Calculator::Stub::Divide, Operands(a, b));
  }

  // Any number small enough for every operation.
  std::int64_t Any() { return Random(-1'000'000, 1'000'000); }
  std::int64_t Positive() { return Random(2, 1'000'000); }

 private:
  std::unique_ptr<Calculator::Stub> stub_;
};

class Task1_Arithmetic : public ServerTest {};

TEST_F(Task1_Arithmetic, AddsTwoNumbers) {
  Promises("Add answers a + b.");
  for (int i = 0; i < 3; ++i) {
    const std::int64_t a = Any(), b = Any();
    ExpectResponse(Add(a, b), Number(a + b));
  }
}

TEST_F(Task1_Arithmetic, SubtractsTheSecondFromTheFirst) {
  Promises("Subtract answers a - b, in this order.");
  Usually("The operands are swapped, or another operator is used.");
  for (int i = 0; i < 3; ++i) {
    const std::int64_t a = Any(), b = a + Positive();
    ExpectResponse(Subtract(a, b), Number(a - b));
  }
}

TEST_F(Task1_Arithmetic, MultipliesTwoNumbers) {
  Promises("Multiply answers a * b.");
  for (int i = 0; i < 3; ++i) {
    const std::int64_t a = Any(), b = Any();
    ExpectResponse(Multiply(a, b), Number(a * b));
  }
}

TEST_F(Task1_Arithmetic, RoundsQuotientsTowardsZero) {
  Promises("Divide answers a / b and a % b, as C++ has them.");
  Usually(
      "C++ rounds towards zero, and the remainder has the sign of a: -7 / 2 "
      "is -3 with remainder -1.");
  for (const int sign_of_a : {1, -1}) {
    for (const int sign_of_b : {1, -1}) {
      const std::int64_t b = sign_of_b * Random(2, 1000);
      const std::int64_t a = sign_of_a * (1000 * Positive() + 1);
      ExpectResponse(Divide(a, b), Division(a / b, a % b));
    }
  }
}

TEST_F(Task1_Arithmetic, KeepsAll64Bits) {
  Promises("Operands and results are 64 bits wide.");
  Usually("A value went through an int or a double on its way.");
  const std::int64_t wide = kMax - Random(1, 1000);
  ExpectResponse(Add(wide, 1), Number(wide + 1));
  ExpectResponse(Subtract(kMin, -wide), Number(kMin + wide));
  ExpectResponse(Multiply(wide, -1), Number(-wide));
  ExpectResponse(Divide(wide, 1), Division(wide, 0));
}

TEST_F(Task1_Arithmetic, AnswersManyCallsAtATime) {
  Promises("Calls that run at the same time do not disturb each other.");
  Usually(
      "Calls share a variable: gRPC runs each one in a thread of its own, and "
      "a member of the service is there only once.");
  std::vector<std::pair<std::int64_t, std::future<Outcome<NumberResponse>>>>
      calls;
  for (int i = 0; i < 64; ++i) {
    const std::int64_t a = Any(), b = Any();
    calls.emplace_back(a - b, std::async(std::launch::async, [this, a, b] {
                         return Subtract(a, b);
                       }));
  }
  for (auto& [expected, call] : calls) {
    ExpectResponse(call.get(), Number(expected));
  }
}

class Task2_Errors : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Usually(
        "The result is computed before it is checked: the check must come "
        "first. GCC's and Clang's __builtin_add_overflow (and _sub_, _mul_) "
        "do both at once.");
    UsuallyIf(StatusCode::INVALID_ARGUMENT,
              "The operands are fine, each by itself: OUT_OF_RANGE is for what "
              "is valid and does not fit, INVALID_ARGUMENT for what never "
              "could be right.");
  }
};

TEST_F(Task2_Errors, RejectsADivisionByZero) {
  Promises(
      "Divide with b = 0 is refused with INVALID_ARGUMENT, in a message that "
      "names b.");
  UsuallyIf(StatusCode::OK, "Divide does not look at b before it answers.");
  UsuallyIf(StatusCode::OUT_OF_RANGE,
            "OUT_OF_RANGE is for a result that does not fit. Here the request "
            "itself can never be right, whatever a is: INVALID_ARGUMENT.");
  UsuallyIfKilledBy(SIGFPE,
                    "The division was tried. In C++ an integer division by "
                    "zero throws nothing: it kills the process. Look at b "
                    "first.");
  ExpectRefusal(Divide(Any(), 0), StatusCode::INVALID_ARGUMENT, "b");
  ExpectRefusal(Divide(0, 0), StatusCode::INVALID_ARGUMENT, "b");
}

TEST_F(Task2_Errors, RejectsASumThatDoesNotFit) {
  Promises(
      "Add refuses with OUT_OF_RANGE, and a message, a sum that does not fit "
      "into an int64.");
  const std::int64_t over = Positive();
  ExpectRefusal(Add(kMax - over + 1, over), StatusCode::OUT_OF_RANGE);
  ExpectRefusal(Add(kMin + over - 1, -over), StatusCode::OUT_OF_RANGE);
}

TEST_F(Task2_Errors, RejectsADifferenceThatDoesNotFit) {
  Promises(
      "Subtract refuses with OUT_OF_RANGE, and a message, a difference that "
      "does not fit into an int64.");
  const std::int64_t over = Positive();
  ExpectRefusal(Subtract(kMax - over + 1, -over), StatusCode::OUT_OF_RANGE);
  ExpectRefusal(Subtract(kMin + over - 1, over), StatusCode::OUT_OF_RANGE);
  ExpectRefusal(Subtract(0, kMin), StatusCode::OUT_OF_RANGE);
}

TEST_F(Task2_Errors, RejectsAProductThatDoesNotFit) {
  Promises(
      "Multiply refuses with OUT_OF_RANGE, and a message, a product that does "
      "not fit into an int64.");
  const std::int64_t factor = Positive();
  ExpectRefusal(Multiply(kMax / factor + 1, factor), StatusCode::OUT_OF_RANGE);
  ExpectRefusal(Multiply(kMax / factor + 1, -factor - 1),
                StatusCode::OUT_OF_RANGE);
  ExpectRefusal(Multiply(kMin, -1), StatusCode::OUT_OF_RANGE);
}

TEST_F(Task2_Errors, RejectsTheOneQuotientThatDoesNotFit) {
  Promises(
      "Divide refuses with OUT_OF_RANGE, and a message, the one quotient that "
      "does not fit: the smallest int64 divided by -1.");
  Usually(
      "There is one more int64 below zero than above it, so that -kMin does "
      "not exist.");
  UsuallyIfKilledBy(
      SIGFPE,
      "The division was tried. The smallest int64 by -1 does not fit, and the "
      "processor treats that like a division by zero: it kills the process.");
  ExpectRefusal(Divide(kMin, -1), StatusCode::OUT_OF_RANGE);
}

TEST_F(Task2_Errors, AnswersWhatJustFits) {
  Promises(
      "Only what does not fit is refused: the largest and the smallest int64 "
      "are good operands and good results.");
  Usually("The check refuses too much: is it off by one?");
  UsuallyIf(StatusCode::OUT_OF_RANGE,
            "The check refuses too much: is it off by one?");
  ExpectResponse(Add(kMax - 1, 1), Number(kMax));
  ExpectResponse(Add(kMax, kMin), Number(-1));
  ExpectResponse(Subtract(kMin + 1, 1), Number(kMin));
  ExpectResponse(Subtract(-1, kMax), Number(kMin));
  ExpectResponse(Multiply(kMin / 2, 2), Number(kMin));
  ExpectResponse(Multiply(0, kMin), Number(0));
  ExpectResponse(Divide(kMin, 1), Division(kMin, 0));
  ExpectResponse(Divide(kMax, -1), Division(-kMax, 0));
}

TEST_F(Task2_Errors, GoesOnAfterARefusal) {
  Promises("A refused call changes nothing for the calls after it.");
  ExpectRefusal(Divide(Any(), 0), StatusCode::INVALID_ARGUMENT);
  const std::int64_t a = Any(), b = Positive();
  ExpectResponse(Divide(a, b), Division(a / b, a % b));
  ExpectRefusal(Add(kMax, Positive()), StatusCode::OUT_OF_RANGE);
  ExpectResponse(Add(a, b), Number(a + b));
}

// Answers the learner's client as the test says, and remembers its request.
class FakeCalculator final : public Calculator::Service {
 public:
  grpc::Status status = grpc::Status::OK;
  std::int64_t number = 0;
  DivideResponse division;
  bool answers = true;

  // The last call as a learner would write it: "Divide(a: 7 b: 2)".
  std::string last_call() {
    const std::lock_guard lock(mutex_);
    return last_call_;
  }

 private:
  grpc::Status Add(grpc::ServerContext* context, const BinaryRequest* request,
                   NumberResponse* response) override {
    return Answer("Add", context, *request, response);
  }
  grpc::Status Subtract(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    return Answer("Subtract", context, *request, response);
  }
  grpc::Status Multiply(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    return Answer("Multiply", context, *request, response);
  }
  grpc::Status Divide(grpc::ServerContext* context,
                      const BinaryRequest* request,
                      DivideResponse* response) override {
    *response = division;
    return Finish("Divide", context, *request);
  }

  grpc::Status Answer(const std::string& name, grpc::ServerContext* context,
                      const BinaryRequest& request, NumberResponse* response) {
    response->set_result(number);
    return Finish(name, context, request);
  }

  grpc::Status Finish(const std::string& name, grpc::ServerContext* context,
                      const BinaryRequest& request) {
    {
      const std::lock_guard lock(mutex_);
      last_call_ = name + "(" + request.ShortDebugString() + ")";
    }
    if (!answers) WaitUntilCancelled(*context);
    return status;
  }

  std::mutex mutex_;
  std::string last_call_;
};

// Runs the learner's client against a server of the suite's.
class Task3_Client : public ExerciseTest {
 protected:
  ClientRun Run(std::vector<std::string> arguments, const std::string& scene) {
    arguments.insert(arguments.begin(), {"--address", server_.address()});
    return RunClient(std::move(arguments), scene);
  }

  static bool Succeeded(const ClientRun& run, const std::string& printed) {
    return run.exit == Exit{0, 0} && run.out == printed + "\n";
  }

  FakeCalculator calculator_;
  FakeServer server_{&calculator_};
};

TEST_F(Task3_Client, PrintsTheResult) {
  Usually(
      "Another operation is called, the operands are mixed up, or something "
      "else is printed on stdout as well.");
  const std::pair<std::string, std::string> operations[] = {
      {"add", "Add"}, {"subtract", "Subtract"}, {"multiply", "Multiply"}};
  for (const auto& [word, call] : operations) {
    const std::int64_t a = Random(2, 1000), b = Random(-1000, -2);
    calculator_.number = Random(kMin, kMax);
    const std::string sent =
        call + "(" + Operands(a, b).ShortDebugString() + ")";
    Promises("`client " + word + " A B` calls " + sent +
             " and prints the result: " + std::to_string(calculator_.number) +
             ". It exits with 0.");
    const ClientRun run =
        Run({word, std::to_string(a), std::to_string(b)},
            "the server answers " + std::to_string(calculator_.number));
    ExpectOf(run, calculator_.last_call() == sent &&
                      Succeeded(run, std::to_string(calculator_.number)));
  }
}

TEST_F(Task3_Client, PrintsQuotientAndRemainder) {
  const std::int64_t a = Random(2, 1000), b = Random(2, 1000);
  calculator_.division = Division(Random(-1000, -2), Random(2, 1000));
  const std::string printed =
      std::to_string(calculator_.division.quotient()) + " remainder " +
      std::to_string(calculator_.division.remainder());
  Promises("`client divide A B` prints \"" + printed + "\" and exits with 0.");
  const ClientRun run =
      Run({"divide", std::to_string(a), std::to_string(b)},
          "the server answers " + calculator_.division.ShortDebugString());
  ExpectOf(run, calculator_.last_call() ==
                        "Divide(" + Operands(a, b).ShortDebugString() + ")" &&
                    Succeeded(run, printed));
}

TEST_F(Task3_Client, ReportsAFailedCall) {
  Usually(
      "The status is not looked at, or the error is printed on stdout. Who "
      "reads the output of a program must not take an error for a result.");
  const std::pair<StatusCode, std::string> failures[] = {
      {StatusCode::INVALID_ARGUMENT, "b must not be zero"},
      {StatusCode::OUT_OF_RANGE, "does not fit"},
      {StatusCode::PERMISSION_DENIED, "not for you"}};
  for (const auto& [code, message] : failures) {
    Promises("A failed call is told on stderr by the name of its code, " +
             CodeName(code) + "; stdout stays empty; the exit status is 1.");
    calculator_.status = {code, message};
    const ClientRun run = Run({"divide", "7", "0"},
                              "the server answers " + CodeName(code) + ": \"" +
                                  message + "\"");
    ExpectOf(run, run.exit == Exit{1, 0} && run.out.empty() &&
                      run.err.find(CodeName(code)) != std::string::npos);
  }
}

TEST_F(Task3_Client, ReportsAServerThatIsNotThere) {
  Promises(
      "Without a server the client says UNAVAILABLE on stderr and exits with "
      "1, within its timeout.");
  const ClientRun run = RunClient(
      {"--address", "unix:no_server.sock", "--timeout", "2", "add", "1", "2"},
      "nobody listens there");
  ExpectOf(run, run.exit == Exit{1, 0} && run.out.empty() &&
                    run.err.find("UNAVAILABLE") != std::string::npos);
}

TEST_F(Task3_Client, EndsWithinItsTimeout) {
  Promises(
      "`--timeout` bounds the wait: against a server that never answers the "
      "client says DEADLINE_EXCEEDED on stderr and exits with 1.");
  Usually(
      "The context has no deadline, or not the one that was asked for. "
      "Without one a gRPC call waits for ever.");
  calculator_.answers = false;
  const ClientRun run = Run({"--timeout", "0.2", "add", "1", "2"},
                            "the server never answers");
  ExpectOf(run, run.exit == Exit{1, 0} && run.took >= milliseconds(200) &&
                    run.err.find("DEADLINE_EXCEEDED") != std::string::npos);
}

TEST_F(Task3_Client, RejectsBadUsage) {
  Promises(
      "What is not one of the four operations with two integers is bad usage: "
      "the client calls nothing, says why on stderr, and exits with 2.");
  Usually(
      "The arguments are used as they come. CLI11 can check them: required(), "
      "and check(CLI::IsMember(...)) for the operation.");
  const std::vector<std::string> mistakes[] = {
      {},
      {"add", "1"},
      {"power", "2", "3"},
      {"add", "1", "two"},
      {"add", "1", "2", "3"},
      {"add", "1", "9223372036854775808"}};
  for (const std::vector<std::string>& arguments : mistakes) {
    const ClientRun run = Run(arguments, "");
    ExpectOf(run, run.exit == Exit{2, 0} && run.out.empty() &&
                      !run.err.empty() && calculator_.last_call().empty());
  }
}

}  // namespace
}  // namespace workshop::testing
