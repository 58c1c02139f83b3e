// What exercises/01_calculator/README.md promises, one test per promise.

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
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

  void Disconnect() { stub_.reset(); }

  // Small enough for every operation.
  std::int64_t Any() { return Random(-1'000'000, 1'000'000); }
  std::int64_t Positive() { return Random(2, 1'000'000); }

 private:
  std::unique_ptr<Calculator::Stub> stub_;
};

class Task1_Arithmetic : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Usually(
        "The result never gets into the response: response->set_result(...). "
        "What a handler does not set arrives as 0.");
    UsuallyIf(StatusCode::OUT_OF_RANGE,
              "The result fits, and the check refuses it: does it think of "
              "negative numbers?");
  }
};

TEST_F(Task1_Arithmetic, AddsTwoNumbers) {
  Promises("Add answers a + b.");
  for (int i = 0; i < 3; ++i) {
    const std::int64_t a = Any(), b = Any();
    ExpectResponse(Add(a, b), Number(a + b));
  }
}

TEST_F(Task1_Arithmetic, SubtractsTheSecondFromTheFirst) {
  Promises("Subtract answers a - b, in this order.");
  Usually(
      "The operands are swapped, or the result never gets into the response.");
  for (int i = 0; i < 3; ++i) {
    const std::int64_t a = Any(), b = a + Positive();
    ExpectResponse(Subtract(a, b), Number(a - b));
  }
}

TEST_F(Task1_Arithmetic, MultipliesTwoNumbers) {
  Promises("Multiply answers a * b.");
  for (const int sign_of_a : {1, -1}) {
    for (const int sign_of_b : {1, -1}) {
      const std::int64_t a = sign_of_a * Positive();
      const std::int64_t b = sign_of_b * Positive();
      ExpectResponse(Multiply(a, b), Number(a * b));
    }
  }
}

TEST_F(Task1_Arithmetic, RoundsQuotientsTowardsZero) {
  Promises(
      "Divide answers the quotient, rounded towards zero, and the remainder, "
      "with the sign of a.");
  Usually(
      "That is what / and % do in C++, if they get a and b as they came. So: "
      "is one of the two not set, are they swapped, or is something rounded "
      "or made positive first?");
  for (const int sign_of_a : {1, -1}) {
    for (const int sign_of_b : {1, -1}) {
      // A remainder over b / 2 tells every other kind of rounding apart.
      const std::int64_t divisor = Random(3, 1000);
      const std::int64_t quotient = Positive();
      const std::int64_t remainder = Random(divisor / 2 + 1, divisor - 1);
      ExpectResponse(
          Divide(sign_of_a * (quotient * divisor + remainder),
                 sign_of_b * divisor),
          Division(sign_of_a * sign_of_b * quotient, sign_of_a * remainder));
    }
  }
}

TEST_F(Task1_Arithmetic, KeepsAll64Bits) {
  Promises("Operands and results are 64 bits wide.");
  Usually(
      "A value goes through an int (32 bits) or a double (53 bits) on its "
      "way. Use std::int64_t throughout.");
  const std::int64_t wide = kMax - Random(1, 1000);
  ExpectResponse(Add(wide, 1), Number(wide + 1));
  ExpectResponse(Subtract(kMin, -wide), Number(kMin + wide));
  ExpectResponse(Multiply(wide, -1), Number(-wide));
  ExpectResponse(Divide(wide, 1), Division(wide, 0));
}

TEST_F(Task1_Arithmetic, StopsWhenItIsTold) {
  Promises("A server that gets SIGTERM or SIGINT ends with status 0.");
  Read("exercises/01_calculator/README.md#the-server");
  Usually(
      "main() does not end with ServeUntilStopped(), which waits for the "
      "signal and shuts the server down.");
  const std::int64_t a = Any(), b = Any();
  ExpectResponse(Add(a, b), Number(a + b));
  Disconnect();
  ExpectServerStops();
}

class Task2_Errors : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Usually(
        "The result is not checked, or used before it is. GCC's and Clang's "
        "__builtin_add_overflow (and _sub_, _mul_) compute and check at once.");
  }

  // For a test that wants OUT_OF_RANGE.
  void PromisesOutOfRange(const std::string& call, const std::string& result) {
    Promises(call + " refuses with OUT_OF_RANGE, and a message, " + result +
             " that does not fit into int64.");
    UsuallyIf(StatusCode::INVALID_ARGUMENT,
              "Each operand is fine by itself: OUT_OF_RANGE is for what is "
              "valid and does not fit, INVALID_ARGUMENT for what can never be "
              "right.");
  }

  // The cause if only the second of two calls is answered wrongly.
  static constexpr char kOneEnd[] =
      "The check knows one end of the range only: a result can be too small "
      "just as it can be too large.";
};

TEST_F(Task2_Errors, RejectsADivisionByZero) {
  Promises(
      "Divide refuses b = 0 with INVALID_ARGUMENT, in a message that names b.");
  UsuallyIf(StatusCode::OK, "Divide does not look at b before it answers.");
  UsuallyIf(StatusCode::OUT_OF_RANGE,
            "OUT_OF_RANGE is for a result that does not fit. This request can "
            "never be right, whatever a is: INVALID_ARGUMENT.");
  UsuallyIfKilledBy(SIGFPE,
                    "The division was tried. In C++ an integer division by "
                    "zero throws nothing: it kills the process. Look at b "
                    "first.");
  UsuallyIfKilledBy(SIGABRT,
                    "An assertion or an exception in a thread: what a caller "
                    "sends must never end the server. Answer with a status.");
  ExpectRefusal(Divide(Any(), 0), StatusCode::INVALID_ARGUMENT, "b");
  ExpectRefusal(Divide(0, 0), StatusCode::INVALID_ARGUMENT, "b");
}

TEST_F(Task2_Errors, RejectsASumThatDoesNotFit) {
  PromisesOutOfRange("Add", "a sum");
  const std::int64_t over = Positive();
  ExpectRefusal(Add(kMax - over + 1, over), StatusCode::OUT_OF_RANGE);
  Usually(kOneEnd);
  ExpectRefusal(Add(kMin + over - 1, -over), StatusCode::OUT_OF_RANGE);
}

TEST_F(Task2_Errors, RejectsADifferenceThatDoesNotFit) {
  PromisesOutOfRange("Subtract", "a difference");
  const std::int64_t over = Positive();
  ExpectRefusal(Subtract(kMax - over + 1, -over), StatusCode::OUT_OF_RANGE);
  Usually(kOneEnd);
  ExpectRefusal(Subtract(kMin + over - 1, over), StatusCode::OUT_OF_RANGE);
  Usually(
      "a - b is computed as a + (-b). There is one more int64 below zero than "
      "above it: the smallest has no -b.");
  ExpectRefusal(Subtract(0, kMin), StatusCode::OUT_OF_RANGE);
}

TEST_F(Task2_Errors, RejectsAProductThatDoesNotFit) {
  PromisesOutOfRange("Multiply", "a product");
  UsuallyIfKilledBy(
      SIGFPE,
      "The check divides by zero, or the smallest int64 by -1: either kills "
      "the process. __builtin_mul_overflow checks without dividing.");
  const std::int64_t factor = Positive();
  ExpectRefusal(Multiply(kMax / factor + 1, factor), StatusCode::OUT_OF_RANGE);
  Usually(kOneEnd);
  ExpectRefusal(Multiply(kMax / factor + 1, -factor - 1),
                StatusCode::OUT_OF_RANGE);
  Usually("The smallest int64 times -1 is one more than the largest int64.");
  ExpectRefusal(Multiply(kMin, -1), StatusCode::OUT_OF_RANGE);
  ExpectRefusal(Multiply(-1, kMin), StatusCode::OUT_OF_RANGE);
}

TEST_F(Task2_Errors, RejectsTheOneQuotientThatDoesNotFit) {
  PromisesOutOfRange("Divide", "the one quotient (smallest int64 by -1)");
  Usually(
      "There is one more int64 below zero than above it, so that the smallest "
      "by -1 needs a check of its own, before the division.");
  UsuallyIfKilledBy(
      SIGFPE,
      "The division was tried. The quotient does not fit, and the processor "
      "treats that like a division by zero: it kills the process.");
  ExpectRefusal(Divide(kMin, -1), StatusCode::OUT_OF_RANGE);
}

TEST_F(Task2_Errors, AnswersWhatJustFits) {
  Promises(
      "Only what does not fit is refused: the largest and the smallest int64 "
      "are good operands and good results.");
  Usually(
      "The check looks at a number that is no longer exact, such as a double "
      "(53 bits), or at one that has wrapped already.");
  UsuallyIf(StatusCode::OUT_OF_RANGE,
            "The check refuses too much: is it off by one, or does it turn a "
            "sign that cannot be turned (-b does not exist for the smallest "
            "int64)?");
  ExpectResponse(Add(kMax - 1, 1), Number(kMax));
  ExpectResponse(Add(kMin + 1, -1), Number(kMin));
  ExpectResponse(Add(kMax, kMin), Number(-1));
  ExpectResponse(Subtract(kMin + 1, 1), Number(kMin));
  ExpectResponse(Subtract(-1, kMax), Number(kMin));
  ExpectResponse(Subtract(-1, kMin), Number(kMax));
  ExpectResponse(Multiply(kMin / 2, 2), Number(kMin));
  ExpectResponse(Multiply(-1, -kMax), Number(kMax));
  ExpectResponse(Multiply(0, kMin), Number(0));
  ExpectResponse(Divide(kMin, 1), Division(kMin, 0));
  ExpectResponse(Divide(kMax, -1), Division(-kMax, 0));
}

TEST_F(Task2_Errors, GoesOnAfterARefusal) {
  Promises("A refused call changes nothing for the calls after it.");
  const std::string remembers =
      "The call before was refused, and the service has kept its status, in a "
      "member or a static: a status belongs to one call.";
  const std::int64_t a = Any(), b = Random(2, 100);
  ExpectRefusal(Divide(a, 0), StatusCode::INVALID_ARGUMENT);
  UsuallyIf(StatusCode::INVALID_ARGUMENT, remembers);
  ExpectResponse(Divide(a, b), Division(a / b, a % b));
  ExpectRefusal(Add(kMax, b), StatusCode::OUT_OF_RANGE);
  UsuallyIf(StatusCode::OUT_OF_RANGE, remembers);
  ExpectResponse(Add(a, b), Number(a + b));
}

// "Divide(a: 7, b: 2)", as calls are told elsewhere.
std::string TextOf(const std::string& call, std::int64_t a, std::int64_t b) {
  return fmt::format("{}(a: {}, b: {})", call, a, b);
}

// Answers the learner's client as the test says, and remembers its last call.
class FakeCalculator final : public Calculator::Service {
 public:
  grpc::Status status = grpc::Status::OK;
  std::int64_t number = 0;
  DivideResponse division;
  bool answers = true;

  struct LastCall {
    std::string text;                      // empty: there was none
    std::chrono::duration<double> left{};  // to its deadline, on arrival
  };
  LastCall last_call() {
    const std::lock_guard lock(mutex_);
    return last_call_;
  }

 private:
  grpc::Status Add(grpc::ServerContext* context, const BinaryRequest* request,
                   NumberResponse* response) override {
    response->set_result(number);
    return End("Add", context, *request);
  }
  grpc::Status Subtract(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    response->set_result(number);
    return End("Subtract", context, *request);
  }
  grpc::Status Multiply(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    response->set_result(number);
    return End("Multiply", context, *request);
  }
  grpc::Status Divide(grpc::ServerContext* context,
                      const BinaryRequest* request,
                      DivideResponse* response) override {
    *response = division;
    return End("Divide", context, *request);
  }

  grpc::Status End(const std::string& call, grpc::ServerContext* context,
                   const BinaryRequest& request) {
    {
      const std::lock_guard lock(mutex_);
      last_call_ = {TextOf(call, request.a(), request.b()),
                    context->deadline() - std::chrono::system_clock::now()};
    }
    if (!answers) WaitUntilCancelled(*context);
    return status;
  }

  std::mutex mutex_;
  LastCall last_call_;  // guarded by mutex_
};

// Runs the learner's client against a server of the suite's.
class Task3_Client : public ExerciseTest {
 protected:
  // Runs the client as `client --address ADDRESS ARGUMENTS`.
  ClientRun Run(std::vector<std::string> arguments, const std::string& scene) {
    arguments.insert(arguments.begin(), {"--address", server_.address()});
    return RunClient(std::move(arguments), scene);
  }

  // The client made `call`, printed `printed` and exited with 0.
  void ExpectSuccess(const ClientRun& run, const std::string& call,
                     const std::string& printed) {
    Promises(fmt::format(
        "The client calls {}, prints the line \"{}\" and nothing else on "
        "stdout, and exits with 0.",
        call, printed));
    if (run.exit == Exit{0, 0}) {
      Usually("The result is printed in other words, or not alone.");
    }
    ExpectOf(run, run.exit == Exit{0, 0} && run.out == printed + "\n");
    const std::string actual = calculator_.last_call().text;
    if (actual == call) return;
    Usually("It is another operation's call, or the operands are mixed up.");
    Fail({run.sent}, {actual.empty() ? "the server was not called"
                                     : "the server was called: " + actual});
  }

  // The client exited with 1 and named `code` on stderr alone. `if_misnamed` is
  // what usually causes that another code, or none, was named.
  void ExpectReported(
      const ClientRun& run, StatusCode code,
      const std::string& if_misnamed =
          "The name of the code is not printed: workshop::CodeName(...) has "
          "it. Scripts look for the code, only people read the message.") {
    if (!run.exit) {
      Usually(
          "The context has no deadline, or not the one that was asked for. "
          "Without one a call waits for ever.");
    } else if (run.exit == Exit{0, 0}) {
      Usually(
          "The status that the call returned is not looked at, or the program "
          "says that all is well in spite of it.");
    } else if (!run.out.empty()) {
      Usually(
          "The error is printed on stdout. Whoever reads the output of a "
          "program must not take an error for a result.");
    } else if (run.exit == Exit{1, 0}) {
      Usually(if_misnamed);
    }
    ExpectOf(run, run.exit == Exit{1, 0} && run.out.empty() &&
                      run.err.find(CodeName(code)) != std::string::npos);
  }

  FakeCalculator calculator_;
  FakeServer server_{&calculator_};
};

TEST_F(Task3_Client, PrintsTheResult) {
  Read("exercises/01_calculator/README.md#the-client");
  const std::pair<std::string, std::string> operations[] = {
      {"add", "Add"}, {"subtract", "Subtract"}, {"multiply", "Multiply"}};
  for (const auto& [word, call] : operations) {
    const std::int64_t a = Random(1, kMax), b = Random(kMin, -1);
    calculator_.number = Random(kMin, kMax);
    const std::string printed = std::to_string(calculator_.number);
    ExpectSuccess(Run({word, std::to_string(a), std::to_string(b)},
                      "the server answers " + printed),
                  TextOf(call, a, b), printed);
  }
}

TEST_F(Task3_Client, PrintsQuotientAndRemainder) {
  Read("exercises/01_calculator/README.md#the-client");
  const std::int64_t a = Random(kMin, -1), b = Random(1, kMax);
  const std::int64_t quotient = Random(-1000, -2), remainder = Random(2, 1000);
  calculator_.division = Division(quotient, remainder);
  ExpectSuccess(
      Run({"divide", std::to_string(a), std::to_string(b)},
          fmt::format("the server answers quotient: {}, remainder: {}",
                      quotient, remainder)),
      TextOf("Divide", a, b),
      fmt::format("{} remainder {}", quotient, remainder));
}

TEST_F(Task3_Client, ReportsAFailedCall) {
  struct Failure {
    std::string operation;
    StatusCode code;
    std::string message;
  };
  const Failure failures[] = {
      {"divide", StatusCode::INVALID_ARGUMENT, "b must not be zero"},
      {"multiply", StatusCode::OUT_OF_RANGE, "the product does not fit"},
      // Any from NOT_FOUND to FAILED_PRECONDITION.
      {"add", static_cast<StatusCode>(Random(5, 9)), "not today"}};
  for (const auto& [operation, code, message] : failures) {
    Promises("A failed call is told on stderr by the name of its code, " +
             CodeName(code) + "; stdout stays empty; the exit status is 1.");
    calculator_.status = {code, message};
    ExpectReported(
        Run({operation, "7", "0"}, fmt::format("the server answers {}: \"{}\"",
                                               CodeName(code), message)),
        code);
  }
}

TEST_F(Task3_Client, ReportsAServerThatIsNotThere) {
  Promises(
      "Without a server the client says UNAVAILABLE on stderr and exits with "
      "1.");
  const std::string timeout = std::to_string(Settings().patience);
  const ClientRun run = RunClient({"--address", "unix:no_server.sock",
                                   "--timeout", timeout, "add", "1", "2"},
                                  "nobody listens there");
  ExpectReported(run, StatusCode::UNAVAILABLE,
                 "The client waits for a server that will not come: "
                 "set_wait_for_ready(true), or WaitForConnected().");
}

TEST_F(Task3_Client, EndsWithinItsTimeout) {
  Promises(
      "`--timeout` is the deadline of the call: against a server that never "
      "answers the client says DEADLINE_EXCEEDED on stderr and exits with 1.");
  calculator_.answers = false;
  const ClientRun run =
      Run({"--timeout", "0.2", "add", "1", "2"}, "the server never answers");
  ExpectReported(run, StatusCode::DEADLINE_EXCEEDED);
  Usually("The client does not wait as long as it was told to.");
  ExpectOf(run, run.took >= milliseconds(200));
  ExpectDeadline(run, milliseconds(200), calculator_.last_call().left);
}

TEST_F(Task3_Client, RejectsBadUsage) {
  Read("exercises/01_calculator/README.md#the-client");
  Promises(
      "What is not one of the four operations and two integers that fit into "
      "int64 is bad usage: the client calls nothing, says why on stderr, and "
      "exits with 2.");
  Usually(
      "The arguments are used as they come. CLI11 can check them: required(), "
      "and check(CLI::IsMember({...})) for the operation.");
  const std::vector<std::string> mistakes[] = {
      {},
      {"add", "1"},
      {"power", "2", "3"},
      {"add", "1", "two"},
      {"add", "1", "2", "3"},
      {"add", "1", "9223372036854775808"}};
  for (const std::vector<std::string>& arguments : mistakes) {
    const ClientRun run = Run(arguments, "");
    if (run.exit == Exit{1, 0}) {
      Usually(
          "1 says that a call has failed. workshop::ParseFlags() returns what "
          "bad usage exits with: kBadUsage, which is 2.");
    }
    ExpectOf(run, run.exit == Exit{2, 0} && run.out.empty() &&
                      !run.err.empty() && calculator_.last_call().text.empty());
  }
}

}  // namespace
}  // namespace workshop::testing
