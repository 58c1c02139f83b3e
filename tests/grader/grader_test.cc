// Grades submissions that go wrong in every way that a submission can, with the
// grader as a program, and compares the whole scorecard and results.json with
// tests/grader/expected. To accept what has changed on purpose, run this with
// WORKSHOP_ACCEPT=1 and read the diff.

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <optional>
#include <regex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/grader/course.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using testing::Exit;
using testing::Process;
using testing::TempDir;

constexpr std::chrono::minutes kGradeLimit{2};

const fs::path kRoot = WORKSHOP_SOURCE_DIR;
const fs::path kBuild = WORKSHOP_BUILD_DIR;
const fs::path kExpected = kRoot / "tests/grader/expected";

// What differs from run to run and says nothing about the grader.
std::string Normalised(std::string text) {
  static const std::pair<std::regex, const char*> kChanging[] = {
      {std::regex("127\\.0\\.0\\.1:[0-9]+"), "127.0.0.1:PORT"},
      {std::regex("(after|within|deadline) [0-9.]+ s"), "$1 N s"},
      {std::regex("unix:/\\S*/server\\.sock"), "unix:server.sock"},
      // Newer versions of clang number the lines of source that they show, and
      // call themselves otherwise when the linker fails.
      {std::regex("[ 0-9]{5} \\| "), ""},
      {std::regex("clang\\+\\+: error: linker"), "clang: error: linker"},
      // The test's own source: compared nowhere, since it changes with it.
      {std::regex("(\"test_code\": )\"([^\"\\\\]|\\\\.)*\""), "$1\"...\""},
  };
  for (const auto& [pattern, replacement] : kChanging) {
    text = std::regex_replace(text, pattern, replacement);
  }
  return text;
}

void ExpectAsAccepted(const std::string& actual, const std::string& file) {
  const std::string normalised = Normalised(actual);
  if (std::getenv("WORKSHOP_ACCEPT") != nullptr) {
    WriteFile(kExpected / file, normalised);
  }
  EXPECT_EQ(normalised, ReadFile(kExpected / file)) << file;
}

class GraderTest : public ::testing::Test {
 protected:
  GraderTest() { testing::AdoptOrphans(); }

  // Nothing that the grader or a submission has started may be alive, and no
  // file of theirs may be left.
  void TearDown() override {
    EXPECT_TRUE(fs::is_empty(temporary_.path()));
    std::ifstream children("/proc/thread-self/children");
    std::string pids;
    std::getline(children, pids);
    EXPECT_EQ(pids, "") << "these processes outlived the grader";
    testing::KillDescendants();
  }

  std::vector<std::string> Command(const fs::path& submission) const {
    return {(kBuild / "tests/grader/grader").string(),
            "--root",
            kRoot.string(),
            "--build",
            kBuild.string(),
            "--report",
            report_.path(),
            "--exercise",
            "01",
            "--seed",
            "1",
            "--submission",
            submission.string()};
  }

  Process::Options Options() const {
    Process::Options options;
    options.environment["TMPDIR"] = temporary_.path();
    return options;
  }

  // Grades `submission` and returns the exit status; `out_` is the scorecard.
  int Grade(const fs::path& submission) {
    Process grader(Command(submission), Options());
    const std::optional<Exit> exit = grader.WaitForExit(kGradeLimit);
    out_ = grader.Stdout();
    err_ = grader.Stderr();
    if (!exit) ADD_FAILURE() << "the grader hangs";
    return exit ? exit->status : -1;
  }

  std::string Report(const std::string& file) const {
    return ReadFile(fs::path(report_.path()) / "01_calculator" / file);
  }

  TempDir temporary_;
  TempDir report_;
  std::string out_;
  std::string err_;
};

// The submissions that are patches on the solution, and the solution itself.
class SubmissionTest : public GraderTest,
                       public ::testing::WithParamInterface<const char*> {};

TEST_P(SubmissionTest, IsGradedAsAccepted) {
  const std::string name = GetParam();
  const fs::path submission =
      name == "solved"      ? kRoot / "solutions/01_calculator"
      : name == "untouched" ? kRoot / "exercises/01_calculator"
                            : kBuild / "tests/grader/submissions" / name;
  const int status = Grade(submission);
  EXPECT_EQ(err_, "");
  ExpectAsAccepted(out_ + fmt::format("\nexit status {}\n", status),
                   name + ".txt");
  ExpectAsAccepted(Report("results.json"), name + ".json");

  // However much a submission prints or allocates, the grader stays small.
  rusage usage = {};
  getrusage(RUSAGE_CHILDREN, &usage);
  EXPECT_LT(usage.ru_maxrss, 700 << 10) << "kilobytes";
}

INSTANTIATE_TEST_SUITE_P(All, SubmissionTest,
                         ::testing::Values(WORKSHOP_SUBMISSIONS),
                         [](const auto& info) {
                           return std::string(info.param);
                         });

TEST_F(GraderTest, SaysWhichFileIsGone) {
  const TempDir submission;
  EXPECT_EQ(Grade(submission.path()), 1);
  EXPECT_NE(out_.find("server.cc is gone"), std::string::npos) << out_;
  EXPECT_NE(out_.find("client.cc is gone"), std::string::npos) << out_;
  EXPECT_NE(out_.find("0 of 100 points"), std::string::npos) << out_;
}

TEST_F(GraderTest, SaysWhichFileIsEmpty) {
  const TempDir submission;
  std::ofstream(fs::path(submission.path()) / "server.cc") << "\n";
  std::ofstream(fs::path(submission.path()) / "client.cc") << "";
  EXPECT_EQ(Grade(submission.path()), 1);
  EXPECT_NE(out_.find("server.cc is empty"), std::string::npos) << out_;
  EXPECT_NE(out_.find("client.cc is empty"), std::string::npos) << out_;
}

#ifdef WORKSHOP_ALL_SUBMISSIONS
TEST_F(GraderTest, LeavesNothingBehindWhenInterrupted) {
  Process grader(Command(kBuild / "tests/grader/submissions/never_answers"),
                 Options());
  // As soon as a learner's server listens, everything there is runs.
  const auto listens = [&] {
    std::error_code vanished;
    for (fs::recursive_directory_iterator entry(temporary_.path(), vanished),
         end;
         !vanished && entry != end; entry.increment(vanished)) {
      if (entry->path().filename() == "server.sock") return true;
    }
    return false;
  };
  const auto deadline = steady_clock::now() + kGradeLimit;
  while (!listens() && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  grader.Signal(SIGINT);
  EXPECT_EQ(grader.WaitForExit(std::chrono::seconds(10)),
            (Exit{128 + SIGINT, 0}));
  EXPECT_EQ(grader.Stdout(), "");
}
#endif

TEST_F(GraderTest, NamesTheExercisesThatThereAre) {
  for (const char* const wanted : {"99", "abc", "", "-1", "01x"}) {
    std::vector<std::string> command =
        Command(kRoot / "exercises/01_calculator");
    command[8] = wanted;
    Process grader(command, Options());
    EXPECT_EQ(grader.WaitForExit(kGradeLimit), (Exit{2, 0})) << wanted;
    EXPECT_NE(grader.Stderr().find("E=01  01_calculator"), std::string::npos)
        << grader.Stderr();
  }
}

TEST_F(GraderTest, SaysWhenAReportCannotBeWritten) {
  std::vector<std::string> command = Command(kRoot / "exercises/01_calculator");
  command[6] = "/dev/full/report";
  Process grader(command, Options());
  EXPECT_EQ(grader.WaitForExit(kGradeLimit), (Exit{2, 0}));
  EXPECT_NE(grader.Stderr().find("cannot be written"), std::string::npos)
      << grader.Stderr();
}

TEST_F(GraderTest, SaysWhereAManifestIsWrong) {
  const TempDir root;
  const fs::path folder = fs::path(root.path()) / "exercises/01_calculator";
  fs::create_directories(folder);
  std::ofstream(folder / "exercise.textproto") << "title: \"A\"\npoints: 7\n";
  std::vector<std::string> command = Command(kRoot / "exercises/01_calculator");
  command[2] = root.path();
  Process grader(command, Options());
  EXPECT_EQ(grader.WaitForExit(kGradeLimit), (Exit{2, 0}));
  EXPECT_NE(grader.Stderr().find("exercise.textproto cannot be read: line 2"),
            std::string::npos)
      << grader.Stderr();
}

}  // namespace
}  // namespace workshop::grader
