// Grades with sanitizers, as `make check SANITIZE=` does: what is right, and
// what passes without the sanitizer that sees what is wrong in it.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace workshop::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = WORKSHOP_SOURCE_DIR;
const fs::path kBuild = WORKSHOP_BUILD_DIR;

struct Graded {
  std::optional<Exit> exit;
  std::string out;
  std::string err;
};

// Grades a submission for the exercise "NN_topic". What is not built yet is
// built, which takes a while.
Graded Grade(const std::string& exercise, const fs::path& submission,
             const std::string& sanitizer) {
  const TempDir report;
  Process grader({(kBuild / "tests/grader/grader").string(), "--root",
                  kRoot.string(), "--build", kBuild.string(), "--report",
                  report.path(), "--exercise", exercise, "--submission",
                  submission.string(), "--sanitizer", sanitizer});
  const std::optional<Exit> exit = grader.WaitForExit(std::chrono::minutes(20));
  return {exit, grader.Stdout(), grader.Stderr()};
}

// A submission in which a sanitizer finds something.
struct Submission {
  std::string exercise;
  std::string name;  // begins with the sanitizer that sees what is wrong
  // Parts of the scorecard, in their order.
  std::vector<std::string> told;
};

void PrintTo(const Submission& submission, std::ostream* out) {
  *out << submission.exercise << ": " << submission.name;
}

class SanitizeTest : public ::testing::TestWithParam<Submission> {};

TEST_P(SanitizeTest, ExplainsWhatItFinds) {
  const auto& [exercise, name, told] = GetParam();
  const Graded graded =
      Grade(exercise, kBuild / "tests/sanitized/submissions" / exercise / name,
            name.substr(0, name.find('_')));
  EXPECT_EQ(graded.exit, (Exit{1, 0})) << graded.err;
  std::size_t at = 0;
  for (const std::string& part : told) {
    const std::size_t found = graded.out.find(part, at);
    EXPECT_NE(found, std::string::npos) << part << "\n" << graded.out;
    if (found != std::string::npos) at = found;
  }
}

constexpr char kServer[] = "/server.cc:";

INSTANTIATE_TEST_SUITE_P(
    All, SanitizeTest,
    ::testing::Values(
        Submission{"01_calculator",
                   "address_uses_what_is_freed",
                   {"CRASH", "sent       Add(",
                    "AddressSanitizer found a mistake in your server:", kServer,
                    "READ of size", kServer, "freed by thread", kServer,
                    "allocated by", kServer,
                    "usually    Memory is used that has been freed already",
                    "`make check E=01 SANITIZE=address` again"}},
        Submission{"01_calculator",
                   "address_leaks_a_message",
                   {"FAIL", "LeakSanitizer found a mistake in your server:",
                    kServer, "Direct leak of", kServer,
                    "usually    Memory is allocated and never freed"}},
        Submission{"01_calculator",
                   "undefined_adds_before_it_checks",
                   {"CRASH",
                    "UndefinedBehaviorSanitizer found a mistake in your "
                    "server:",
                    kServer, "signed integer overflow: ",
                    "usually    A result does not fit into its type."}},
        Submission{"01_calculator",
                   "thread_counts_without_a_lock",
                   {"FAIL", "ThreadSanitizer found a mistake in your server:",
                    kServer, "data race", kServer,
                    "usually    Two threads use the same memory"}},
        // Between two handlers, whose threads are gRPC's.
        Submission{"04_chat",
                   "thread_says_without_the_lock",
                   {"ThreadSanitizer found a mistake in your server:", kServer,
                    "data race", kServer,
                    "usually    Two threads use the same memory"}}),
    [](const auto& info) { return info.param.name; });

// A submission that is right.
struct RightAnswer {
  std::string exercise;
  fs::path submission;
  std::string sanitizer;
};

void PrintTo(const RightAnswer& answer, std::ostream* out) {
  *out << answer.submission << " with " << answer.sanitizer;
}

// Every solution with every sanitizer, and with the one for threads what uses
// them otherwise.
std::vector<RightAnswer> RightAnswers() {
  std::vector<RightAnswer> answers;
  const std::set<fs::path> solutions(
      fs::directory_iterator(kRoot / "solutions"), fs::directory_iterator());
  for (const fs::path& solution : solutions) {
    for (const char* const sanitizer : {"address", "undefined", "thread"}) {
      answers.push_back({solution.filename(), solution, sanitizer});
    }
  }
  for (const fs::path alternative : {WORKSHOP_ALTERNATIVES}) {
    answers.push_back({alternative.parent_path(),
                       kBuild / "tests/alternatives" / alternative, "thread"});
  }
  return answers;
}

class RightAnswerTest : public ::testing::TestWithParam<RightAnswer> {};

// Neither our own code nor what a sanitizer cannot see in libraries is told.
TEST_P(RightAnswerTest, HasNothingToFind) {
  const auto& [exercise, submission, sanitizer] = GetParam();
  const Graded graded = Grade(exercise, submission, sanitizer);
  EXPECT_EQ(graded.exit, (Exit{0, 0})) << graded.out << graded.err;
  EXPECT_NE(graded.out.find("the sanitizer has found nothing"),
            std::string::npos)
      << graded.out;
}

std::string NameOf(const ::testing::TestParamInfo<RightAnswer>& info) {
  const auto& [exercise, submission, sanitizer] = info.param;
  const std::string name = submission.filename();
  return exercise + (name == exercise ? "" : "_" + name) + "_" + sanitizer;
}

INSTANTIATE_TEST_SUITE_P(All, RightAnswerTest,
                         ::testing::ValuesIn(RightAnswers()), NameOf);

// It would take long to build, and there is nothing to find.
TEST(SanitizeTest, LeavesAloneWhatIsNotStarted) {
  const Graded graded =
      Grade("01_calculator", kRoot / "exercises/01_calculator", "address");
  EXPECT_NE(graded.out.find("NOT_STARTED"), std::string::npos) << graded.out;
}

TEST(SanitizeTest, NamesTheSanitizersThatThereAre) {
  Process::Options options;
  options.environment["SANITIZE"] = "memory";
  Process check({(kRoot / ".make/check").string()}, options);
  EXPECT_EQ(check.WaitForExit(std::chrono::minutes(1)), (Exit{2, 0}));
  EXPECT_EQ(check.Stderr().find("SANITIZE=memory is none of those that there "
                                "are: address"),
            0u)
      << check.Stderr();
}

}  // namespace
}  // namespace workshop::testing
