// Grades submissions that pass without a sanitizer with the one that sees what
// is wrong in them, as `make check SANITIZE=` does.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace workshop::testing {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = WORKSHOP_SOURCE_DIR;
const fs::path kBuild = WORKSHOP_BUILD_DIR;

struct Submission {
  std::string name;  // begins with the sanitizer that sees what is wrong
  // Parts of the scorecard, in their order.
  std::vector<std::string> told;
};

void PrintTo(const Submission& submission, std::ostream* out) {
  *out << submission.name;
}

struct Graded {
  std::optional<Exit> exit;
  std::string out;
  std::string err;
};

Graded Grade(const fs::path& submission, const std::string& sanitizer) {
  const TempDir report;
  Process grader({(kBuild / "tests/grader/grader").string(), "--root",
                  kRoot.string(), "--build", kBuild.string(), "--report",
                  report.path(), "--exercise", "01", "--submission",
                  submission.string(), "--sanitizer", sanitizer});
  const std::optional<Exit> exit = grader.WaitForExit(std::chrono::minutes(4));
  return {exit, grader.Stdout(), grader.Stderr()};
}

class SanitizeTest : public ::testing::TestWithParam<Submission> {};

TEST_P(SanitizeTest, ExplainsWhatItFinds) {
  const auto& [name, told] = GetParam();
  const std::string sanitizer = name.substr(0, name.find('_'));
  const Graded graded =
      Grade(kBuild / "tests/sanitized/submissions" / name, sanitizer);
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
        Submission{"address_uses_what_is_freed",
                   {"CRASH", "sent       Add(",
                    "AddressSanitizer found a mistake in your server:", kServer,
                    "READ of size", kServer, "freed by thread", kServer,
                    "allocated by", kServer,
                    "usually    Memory is used that has been freed already",
                    "`make check E=01 SANITIZE=address` again"}},
        Submission{"address_leaks_a_message",
                   {"FAIL", "LeakSanitizer found a mistake in your server:",
                    kServer, "Direct leak of", kServer,
                    "usually    Memory is allocated and never freed"}},
        Submission{"undefined_adds_before_it_checks",
                   {"CRASH",
                    "UndefinedBehaviorSanitizer found a mistake in your "
                    "server:",
                    kServer, "signed integer overflow: ",
                    "usually    A result does not fit into its type."}},
        Submission{"thread_counts_without_a_lock",
                   {"FAIL", "ThreadSanitizer found a mistake in your server:",
                    kServer, "data race", kServer,
                    "usually    Two threads use the same memory"}}),
    [](const auto& info) { return info.param.name; });

class SolutionTest : public ::testing::TestWithParam<const char*> {};

// Neither our own code nor what a sanitizer cannot see in libraries is told.
TEST_P(SolutionTest, HasNothingToFind) {
  const Graded graded = Grade(kRoot / "solutions/01_calculator", GetParam());
  EXPECT_EQ(graded.exit, (Exit{0, 0})) << graded.out << graded.err;
  EXPECT_NE(graded.out.find("the sanitizer has found nothing"),
            std::string::npos)
      << graded.out;
}

INSTANTIATE_TEST_SUITE_P(All, SolutionTest,
                         ::testing::Values("address", "undefined", "thread"),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

// It would take long to build, and there is nothing to find.
TEST(SanitizeTest, LeavesAloneWhatIsNotStarted) {
  const Graded graded = Grade(kRoot / "exercises/01_calculator", "address");
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
