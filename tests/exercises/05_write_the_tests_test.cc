// What exercises/05_write_the_tests/README.md promises. The learner's program
// is itself a set of tests. It is run against services: on the correct ones all
// of its tests must pass, and for each promise there are services that break
// it, on which one of its tests must fail.

#include <fmt/format.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "tests/support/exercise_test.h"
#include "tests/support/process.h"
#include "tests/support/suite.h"
#include "tests/support/usual_causes.h"

namespace workshop::testing {
namespace {

namespace fs = std::filesystem;
using google::protobuf::Struct;
using google::protobuf::Value;
using grader::v1::CRASH;
using grader::v1::FAIL;
using grader::v1::PASS;
using grader::v1::TestReport;
using grader::v1::TIMEOUT;

constexpr char kProgram[] = "transfer_service_test";
// On each correct service: once in the order of the file, then shuffled.
constexpr int kRounds = 3;

// How long a run of all tests may take.
constexpr std::chrono::seconds kRunLimit{10};

// A test of the learner's, and what became of it.
struct LearnersTest {
  int line = 0;
  std::string name;     // "TransferServiceTest.MovesTheMoney"
  std::string failure;  // empty: it did not fail
};

// A run of all of the learner's tests.
struct TestRun {
  std::string command;
  std::chrono::milliseconds limit{};
  std::optional<Exit> exit;  // none: it had to be killed
  // What GoogleTest says about each test that was run, in the order in which
  // they are written. None: it was not there to say it.
  std::optional<std::vector<LearnersTest>> tests;
  std::string last_test;  // the one that was begun last
  std::string err;

  // The first test that failed, or null.
  const LearnersTest* FirstFailure() const {
    if (!tests) return nullptr;
    const auto failed =
        std::find_if(tests->begin(), tests->end(),
                     [](const auto& test) { return !test.failure.empty(); });
    return failed == tests->end() ? nullptr : &*failed;
  }
  bool Passed() const {
    return exit == Exit{0, 0} && tests && FirstFailure() == nullptr;
  }
  // Whether it ended as what a build server would call a failure.
  bool Caught() const {
    return exit && (exit != Exit{0, 0} || FirstFailure() != nullptr);
  }
  // How a run ended that has not caught anything.
  std::string End() const {
    if (!tests) return "your program ends early, with status 0" + InLastTest();
    if (tests->size() == 1) return "your only test passes";
    return fmt::format("all {} tests pass", tests->size());
  }
  std::string StillRunning() const {
    return fmt::format("your tests were still running after {} s{}",
                       limit.count() / 1000, InLastTest());
  }
  std::string InLastTest() const {
    return last_test.empty() ? "" : ", in " + last_test;
  }
};

const Value& Field(const Value& object, const std::string& name) {
  const auto& fields = object.struct_value().fields();
  const auto field = fields.find(name);
  return field == fields.end() ? Value::default_instance() : field->second;
}

// What GoogleTest has written about a run, or nothing if it has not.
std::optional<std::vector<LearnersTest>> ReadResult(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  std::string json = text.str();
  // Somebody's bytes may be in a message, and JSON is UTF-8.
  for (char& c : json) {
    if (c < 0) c = '?';
  }
  Value result;
  if (!google::protobuf::util::JsonStringToMessage(
           json, result.mutable_struct_value())
           .ok()) {
    return std::nullopt;
  }
  std::vector<LearnersTest> tests;
  for (const Value& suite : Field(result, "testsuites").list_value().values()) {
    for (const Value& test : Field(suite, "testsuite").list_value().values()) {
      if (Field(test, "result").string_value() != "COMPLETED") continue;
      LearnersTest& learners = tests.emplace_back();
      learners.line = static_cast<int>(Field(test, "line").number_value());
      learners.name = Field(suite, "name").string_value() + "." +
                      Field(test, "name").string_value();
      const auto& failures = Field(test, "failures").list_value().values();
      if (failures.empty()) continue;
      learners.failure = Field(failures[0], "failure").string_value();
      // "/path/to/FILE:LINE" is its first line.
      const std::size_t folder =
          learners.failure.rfind('/', learners.failure.find('\n'));
      learners.failure.erase(0, folder + 1);
    }
  }
  const auto order = [](const LearnersTest& test) {
    return std::tie(test.line, test.name);
  };
  std::sort(tests.begin(), tests.end(),
            [&](const auto& a, const auto& b) { return order(a) < order(b); });
  return tests;
}

// The services that break a promise, by its number in the README.
std::vector<std::string> Breaking(int promise) {
  std::vector<std::string> services;
  for (const char* const name : {WORKSHOP_BROKEN_SERVICES}) {
    if (std::string_view(name).starts_with(fmt::format("{:02}_", promise))) {
      services.push_back(std::string("broken/") + name);
    }
  }
  return services;
}

// The correct services, and how a learner knows them.
const std::map<std::string, std::string>& CorrectServices() {
  static const auto& services = *new std::map<std::string, std::string>{
      {"correct", "the given service"},
      {"other",
       "another correct service, which differs from the given one in what the "
       "contract leaves open"}};
  return services;
}

// What one of the tests here has found out for all of them, each of which is a
// process of its own: a file that all of them have inherited.
class Shared {
 public:
  // What `find_out` returns, which is called by whoever comes first.
  TestReport Get(const std::function<TestReport()>& find_out) {
    // Waits for whoever is at it; let go as well if that process is killed.
    if (lockf(file_, F_LOCK, 0) != 0) abort();
    TestReport found;
    if (lseek(file_, 0, SEEK_END) == 0) {
      found = find_out();
      if (!found.SerializeToFileDescriptor(file_)) abort();
    } else {
      lseek(file_, 0, SEEK_SET);
      if (!found.ParseFromFileDescriptor(file_)) abort();
    }
    lseek(file_, 0, SEEK_SET);
    if (lockf(file_, F_ULOCK, 0) != 0) abort();
    return found;
  }

 private:
  const int file_ = memfd_create("correct services", MFD_CLOEXEC);
};

Shared shared;

class WriteTheTests : public ExerciseTest {
 protected:
  // All tests pass on all correct services, every time.
  void ExpectCorrectServicesPass() {
    const TestReport found = shared.Get([this] { return MeetCorrect(); });
    if (found.verdict() == PASS) return;
    CurrentReport().mutable_explanation()->set_output(
        found.explanation().output());
    Promises(
        "Every test passes on every service that keeps the contract, in any "
        "order and every time. As long as one does not, nothing is earned.");
    Usually(found.explanation().usual_cause());
    Read("exercises/05_write_the_tests/README.md#what-is-checked");
    const auto& sent = found.explanation().sent();
    const auto& came_back = found.explanation().came_back();
    Fail(found.verdict(), {sent.begin(), sent.end()},
         {came_back.begin(), came_back.end()});
  }

  // All tests pass on the correct services, and on each service that breaks
  // `promise` one of them fails.
  void ExpectWatched(int promise) {
    ExpectCorrectServicesPass();
    const std::vector<std::string> services = Breaking(promise);
    ASSERT_FALSE(services.empty());
    std::string sent =
        services.size() == 1
            ? "\nwith a service that breaks this promise"
            : fmt::format(
                  "\nwith {} services that break this promise, each "
                  "in its own way",
                  services.size());
    std::vector<std::string> missed;  // how the runs ended that caught nothing
    for (std::size_t i = 0; i < services.size(); ++i) {
      const TestRun run = RunWith(services[i]);
      if (i == 0) sent.insert(0, run.command);
      if (!run.exit) {
        Usually(
            "A test waits for what a broken service never does. Give every "
            "wait a limit: a test that hangs tells nobody why.");
        Fail(TIMEOUT, {sent}, {run.StillRunning()});
      }
      if (run.exit == Exit{127, 0}) {
        Fail(FAIL, {sent}, {"your program could not be started: " + run.err});
      }
      if (!run.Caught()) missed.push_back(run.End());
    }
    if (missed.empty()) return;
    const std::string with = missed.size() < services.size() ? "the rest"
                             : services.size() == 1          ? "it"
                                                             : "each of them";
    Fail(
        FAIL, {sent},
        {fmt::format("{} of {} caught (promise {})",
                     services.size() - missed.size(), services.size(), promise),
         missed[0] + " with " + with});
  }

 private:
  // Runs the learner's tests with a service.
  TestRun RunWith(const std::string& service, bool shuffled = false) {
    // In a folder of its own, which does not tell which service it is.
    const fs::path folder = fs::absolute(fmt::format("run{}", ++runs_));
    fs::create_directory(folder);
    fs::create_directory_symlink(fs::path(WORKSHOP_SERVICES) / service,
                                 folder / "service");
    Process::Options options = LearnerOptions();
    options.directory = folder;
    options.environment["LD_LIBRARY_PATH"] = folder / "service";

    TestRun run;
    run.command = std::string("$ ") + kProgram;
    std::vector<std::string> command = {Program(kProgram), "--gtest_color=no",
                                        "--gtest_output=json:result.json"};
    if (shuffled) {
      const std::string seed =
          fmt::format("--gtest_random_seed={}", Random(1, 99'999));
      command.insert(command.end(), {"--gtest_shuffle", seed});
      run.command += " --gtest_shuffle " + seed;
    }
    Process process(std::move(command), std::move(options));
    run.limit = Patience(kRunLimit);
    run.exit = process.WaitForExit(run.limit);
    if (!run.exit) {
      process.Kill();
      LosePatience();
    }
    run.tests = ReadResult(folder / "result.json");
    run.last_test = LastTest(process.Stdout());
    run.err = process.Stderr();
    return run;
  }

  // The test whose beginning GoogleTest has printed last.
  static std::string LastTest(const std::string& out) {
    constexpr std::string_view kBegin = "[ RUN      ] ";
    const std::size_t begin = out.rfind(kBegin);
    if (begin == std::string::npos) return "";
    const std::size_t name = begin + kBegin.size();
    return out.substr(name, out.find('\n', name) - name);
  }

  // Runs the learner's tests on the correct services: PASS, or why not.
  TestReport MeetCorrect() {
    std::vector<std::string> services;
    for (const auto& [service, words] : CorrectServices()) {
      services.push_back(service);
    }
    std::vector<std::vector<TestRun>> rounds;
    for (int round = 0; round < kRounds; ++round) {
      rounds.emplace_back();
      for (std::size_t i = 0; i < services.size(); ++i) {
        rounds.back().push_back(RunWith(services[i], /*shuffled=*/round > 0));
        const TestRun& run = rounds.back()[i];
        if (run.FirstFailure() == nullptr && !(run.Passed() && HasTests(run))) {
          return NoVerdict(run, CorrectServices().at(services[i]));
        }
      }
    }
    for (std::size_t i = 0; i < services.size(); ++i) {
      for (const std::vector<TestRun>& round : rounds) {
        if (round[i].FirstFailure() != nullptr) {
          return FailsOnCorrect(rounds, i, round[i],
                                CorrectServices().at(services[i]));
        }
      }
    }
    TestReport report;
    report.set_verdict(PASS);
    return report;
  }

  static bool HasTests(const TestRun& run) {
    return run.tests && !run.tests->empty();
  }

  static TestReport NewReport(grader::v1::Verdict verdict, const TestRun& run,
                              const std::string& service) {
    TestReport report;
    report.set_verdict(verdict);
    report.mutable_explanation()->add_sent(run.command + "\nwith " + service);
    return report;
  }

  // The report of a run that told nothing about any test.
  static TestReport NoVerdict(const TestRun& run, const std::string& service) {
    TestReport report = NewReport(FAIL, run, service);
    grader::v1::Explanation& why = *report.mutable_explanation();
    std::string came_back, cause;
    if (!run.exit) {
      report.set_verdict(TIMEOUT);
      came_back = run.StillRunning();
      cause =
          "A test waits for what never comes, or sleeps. Time is the fake "
          "clock's here: move it on instead.";
    } else if (run.exit->signal != 0) {
      report.set_verdict(CRASH);
      came_back = "your program " + Describe(*run.exit) + run.InLastTest();
      cause = UsualCause(*run.exit, run.err);
    } else if (!run.tests) {
      came_back = fmt::format("your program {} before its tests were over{}",
                              Describe(*run.exit), run.InLastTest());
      cause =
          "Something calls exit(), or main() is your own and does not return "
          "RUN_ALL_TESTS(). Leave main() to GoogleTest.";
    } else if (run.tests->empty()) {
      came_back = "there is no test in your program that was run";
      cause =
          "A test is TEST_F(TransferServiceTest, SaysWhatItWatches) { ... }. "
          "One that is skipped or has DISABLED_ in its name is not run.";
    } else {
      came_back = fmt::format("all {} tests pass, and then your program {}",
                              run.tests->size(), Describe(*run.exit));
      cause =
          "Something goes wrong behind the last test: in a destructor, or in "
          "a main() of your own.";
    }
    why.add_came_back(came_back);
    why.set_usual_cause(cause);
    if (run.exit && run.exit != Exit{0, 0} && !run.err.empty()) {
      why.set_output("on stderr:\n" + Tail(run.err));
    }
    return report;
  }

  // The report of a test that has failed on service `i`, in `run`.
  static TestReport FailsOnCorrect(
      const std::vector<std::vector<TestRun>>& rounds, std::size_t i,
      const TestRun& run, const std::string& service) {
    const LearnersTest& test = *run.FirstFailure();
    const auto failed_in = [&](const TestRun& other) {
      return other.tests &&
             std::any_of(other.tests->begin(), other.tests->end(),
                         [&](const LearnersTest& same) {
                           return same.name == test.name &&
                                  !same.failure.empty();
                         });
    };
    const auto count =
        std::count_if(rounds.begin(), rounds.end(),
                      [&](const auto& round) { return failed_in(round[i]); });
    TestReport report = NewReport(FAIL, run, service);
    grader::v1::Explanation& why = *report.mutable_explanation();
    const bool always = count == kRounds;
    why.add_came_back(
        test.name +
        (always ? " fails:"
                : fmt::format(" fails in {} of {} runs. (The first is in the "
                              "order of the file, the others are not.)",
                              count, kRounds)));
    why.add_came_back(test.failure);
    if (test.failure.find("TODO") != std::string::npos) {
      why.set_usual_cause(kSkeletonCause);
    } else if (!always) {
      why.set_usual_cause(
          "The test needs what another one has left behind (in a static, a "
          "global, a shared repository), or looks at the real clock, or bets "
          "on which thread is quicker. Give each test everything of its own, "
          "and the time of the fake clock.");
    } else if (i == 0) {
      why.set_usual_cause(
          "The test asks for something that the contract does not promise, or "
          "does not set up what it takes. This service keeps every promise: "
          "read the one that you test again.");
    } else {
      why.set_usual_cause(
          "The test checks what the contract leaves open: the words of a "
          "message, which of two refusals comes first, what stands in the "
          "answer to a refused call, or what the service asks its repository "
          "and its clock, how often and in which order. Check what is "
          "promised.");
    }
    return report;
  }

  static std::string Tail(const std::string& text) {
    constexpr std::size_t kBytes = 600;
    if (text.size() <= kBytes) return text;
    return text.substr(text.find('\n', text.size() - kBytes) + 1);
  }

  int runs_ = 0;
};

class Task1_MoneyMoves : public WriteTheTests {};

TEST_F(Task1_MoneyMoves, AcceptsEveryCorrectService) {
  ExpectCorrectServicesPass();
}

TEST_F(Task1_MoneyMoves, WatchesThatMoneyMoves) {
  Promises(
      "Promise 1: a transfer takes the amount from one account and adds it to "
      "the other.");
  Usually(
      "No test compares both balances with what they should be, that of the "
      "sender and that of the receiver.");
  ExpectWatched(1);
}

TEST_F(Task1_MoneyMoves, WatchesWhatTheAnswerTells) {
  Promises(
      "Promise 2: the answer is the transfer as it was made, with its "
      "accounts, its amount and its key.");
  Usually("No test looks at each field of the transfer in the answer.");
  ExpectWatched(2);
}

TEST_F(Task1_MoneyMoves, WatchesTheTimeOfATransfer) {
  Promises("Promise 3: create_time is the time of the clock.");
  Usually("No test compares create_time with the time of its fake clock.");
  ExpectWatched(3);
}

TEST_F(Task1_MoneyMoves, WatchesThatAnAccountCanBeEmptied) {
  Promises("Promise 4: an account can send all that it holds.");
  Usually("What is allowed has an edge too. No test stands on this one.");
  ExpectWatched(4);
}

TEST_F(Task1_MoneyMoves, WatchesThatAListIsComplete) {
  Promises(
      "Promise 5: ListTransfers lists all transfers of an account, those that "
      "it sent and those that it received.");
  Usually(
      "No test lists an account that has sent and received, or it is content "
      "with a part of the list.");
  ExpectWatched(5);
}

TEST_F(Task1_MoneyMoves, WatchesTheOrderOfAList) {
  Promises("Promise 6: the newest transfer is the first of a list.");
  Usually(
      "No test makes two transfers that can be told apart and looks at their "
      "order.");
  ExpectWatched(6);
}

class Task2_Refusals : public WriteTheTests {
 protected:
  static constexpr char kCode[] =
      "No test tries that, or it looks only whether the call is refused: the "
      "code is promised.";
};

TEST_F(Task2_Refusals, WatchesThatAnAmountIsPositive) {
  Promises("Promise 7: an amount of zero or less is INVALID_ARGUMENT.");
  Usually("Zero and less than zero are two cases: one can be right alone.");
  ExpectWatched(7);
}

TEST_F(Task2_Refusals, WatchesThatAccountsDiffer) {
  Promises("Promise 8: a transfer to the same account is INVALID_ARGUMENT.");
  Usually(kCode);
  ExpectWatched(8);
}

TEST_F(Task2_Refusals, WatchesThatThereIsAKey) {
  Promises("Promise 9: an empty idempotency key is INVALID_ARGUMENT.");
  Usually(kCode);
  ExpectWatched(9);
}

TEST_F(Task2_Refusals, WatchesThatAccountsExist) {
  Promises(
      "Promise 10: an account that does not exist is NOT_FOUND, as sender, as "
      "receiver, in GetBalance and in ListTransfers.");
  Usually("Those are four cases, and each can be right alone.");
  ExpectWatched(10);
}

TEST_F(Task2_Refusals, WatchesThatNoAccountIsOverdrawn) {
  Promises(
      "Promise 11: more than an account holds is FAILED_PRECONDITION, be it "
      "by one cent.");
  Usually(kCode);
  ExpectWatched(11);
}

TEST_F(Task2_Refusals, WatchesThatARefusalChangesNothing) {
  Promises(
      "Promise 12: a transfer that is refused changes nothing. All balances "
      "are what they were, and its key is still free.");
  Usually(
      "A test that stops at the status sees half of a refusal. Look at the "
      "balances behind each kind of it; and ask again with the same key when "
      "nothing speaks against it any more.");
  ExpectWatched(12);
}

TEST_F(Task2_Refusals, WatchesThatAFailingRepositoryIsInternal) {
  Promises(
      "Promise 13: a call whose repository fails is INTERNAL, and no exception "
      "leaves it.");
  Usually(
      "No test has a repository that throws: when it is asked, and when it "
      "should save. A mock does that, or a class derived from "
      "MemoryRepository.");
  Read("lessons/05_testing/README.md#how-it-works");
  ExpectWatched(13);
}

TEST_F(Task2_Refusals, WatchesThatCausesStayInside) {
  Promises(
      "Promise 14: nothing of what the repository said is in the status that "
      "the caller gets.");
  Usually(
      "No test looks at the message of such a status. Let the exception say "
      "something that can be found in it.");
  ExpectWatched(14);
}

class Task3_TimeAndAgain : public WriteTheTests {};

TEST_F(Task3_TimeAndAgain, WatchesThatARepetitionMovesNothing) {
  Promises(
      "Promise 15: a transfer that is repeated with its key moves nothing and "
      "gets the answer that the first one got, whatever has happened since.");
  Usually(
      "What can have happened since? Time has passed, and the money may be "
      "gone. Compare the whole answer with the first, and the balances.");
  ExpectWatched(15);
}

TEST_F(Task3_TimeAndAgain, WatchesThatAKeyIsForOneTransfer) {
  Promises(
      "Promise 16: a key that has been used for another transfer (another "
      "amount, another sender, another receiver) is ALREADY_EXISTS.");
  Usually("Those are three cases, and each can be right alone.");
  ExpectWatched(16);
}

TEST_F(Task3_TimeAndAgain, WatchesTheDailyLimit) {
  Promises(
      "Promise 17: an account can send 1,000,000 in a day, at once or in "
      "parts; more is RESOURCE_EXHAUSTED.");
  Usually(
      "The limit is for all transfers of a day together, and has an edge: one "
      "cent more is refused, and one cent less is not the limit.");
  ExpectWatched(17);
}

TEST_F(Task3_TimeAndAgain, WatchesWhoseLimitItIs) {
  Promises(
      "Promise 18: only what the account itself has sent counts towards its "
      "limit.");
  Usually(
      "No test sends from an account to which something else has happened on "
      "that day.");
  ExpectWatched(18);
}

TEST_F(Task3_TimeAndAgain, WatchesWhenADayBegins) {
  Promises(
      "Promise 19: the limit is for a day of the clock, which begins at "
      "midnight UTC.");
  Usually(
      "No test stands on both sides of that midnight: in the last second of a "
      "day, and in the first of the next.");
  ExpectWatched(19);
}

}  // namespace
}  // namespace workshop::testing
