// Tests `make watch` at a real terminal.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "tests/grader/course.h"
#include "tests/grader/toy_workshop.h"
#include "tests/support/process.h"
#include "tests/support/terminal_process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::Exit;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Process;
using testing::TerminalProcess;

constexpr std::chrono::minutes kLimit{1};
// The end of what is shown about a run.
constexpr char kFooter[] = "q: quit\r\n";
constexpr char kInterrupt[] = "\x03";
constexpr char kSuspend[] = "\x1a";

class WatchTest : public ::testing::Test {
 protected:
  WatchTest() { testing::AdoptOrphans(); }

  void TearDown() override {
    watch_.reset();
    EXPECT_TRUE(fs::is_empty(toy_.temporary()));
    EXPECT_EQ(Children(), "") << "these processes outlived the watch";
    testing::KillDescendants();
  }

  void Watch(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), "watch");
    watch_ = std::make_unique<TerminalProcess>(toy_.Make(arguments),
                                               toy_.Environment());
    before_ = watch_->mode_at_first();
  }

  // The next thing that is shown, without colours and cursor movements.
  std::string Shown(const std::string& end = kFooter) {
    const std::optional<std::string> shown = watch_->WaitFor(end, kLimit);
    if (!shown) {
      ADD_FAILURE() << "\"" << end << "\" does not come:\n" << watch_->output();
      return "";
    }
    // What stands on the screen is what was printed since it was cleared.
    std::string text = shown->substr(
        std::max<std::size_t>(shown->rfind("\033[2J") + 1, 1) - 1);
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\033') {
        i = text.find_first_of("mJHK", i);
      } else if (text[i] != '\r') {
        plain += text[i];
      }
    }
    return plain;
  }

  void ExpectQuits() {
    watch_->Type("q");
    EXPECT_EQ(watch_->WaitForExit(kLimit), (Exit{0, 0})) << watch_->output();
    ExpectModeRestored();
  }

  tcflag_t LocalMode() const { return watch_->Mode().c_lflag; }

  void ExpectModeRestored() {
    const termios mode = watch_->Mode();
    EXPECT_EQ(mode.c_lflag, before_.c_lflag);
    EXPECT_EQ(mode.c_iflag, before_.c_iflag);
    EXPECT_EQ(mode.c_oflag, before_.c_oflag);
    EXPECT_EQ(0, std::memcmp(mode.c_cc, before_.c_cc, sizeof(mode.c_cc)));
  }

  // A program that says that it runs and then does not answer.
  std::string Hanging() const {
    return fmt::format("touch '{}'; exec sleep 1000\n", toy_.Path("runs"));
  }

  // Saves by writing another file and renaming it, as vim does.
  void SaveByRename(const std::string& text) {
    const std::string path = toy_.ClientPath();
    fs::rename(path, path + "~");
    WriteFile(path, text);
    fs::remove(path + "~");
  }

  ToyWorkshop toy_;
  std::unique_ptr<TerminalProcess> watch_;
  termios before_ = {};
};

TEST_F(WatchTest, GoesThroughTheCourse) {
  Watch();
  EXPECT_THAT(Shown(), AllOf(HasSubstr("NOT_STARTED"), HasSubstr("01_toy"),
                             HasSubstr("first TODO, and\n  save.")));
  toy_.Save(kHalf);
  EXPECT_THAT(Shown(),
              AllOf(HasSubstr("40 of 100"), HasSubstr("the client prints 2"),
                    HasSubstr("Fix the first failure and save.")));
  watch_->Type("h");
  EXPECT_THAT(Shown("(hint 1 of 2)"), HasSubstr("task 2: Two"));
  Shown("A nudge to two.");

  toy_.Save(kSolution);
  EXPECT_THAT(
      Shown(),
      AllOf(HasSubstr("100 of 100"),
            HasSubstr("What you have learned\n  That one is 1.\n  That two is "
                      "2.\n  That 01_toy ends here.\n"),
            HasSubstr("make diff E=01"),
            HasSubstr("Open exercises/02_toy/client.cc")));
  toy_.Save(kSolution, "02_toy");
  EXPECT_THAT(Shown(),
              AllOf(HasSubstr("02_toy"), HasSubstr("finished the workshop")));
  ExpectQuits();
}

TEST_F(WatchTest, BeginsWithTheExerciseThatIsAskedFor) {
  toy_.Save(kHalf, "02_toy");
  Watch({"E=02"});
  EXPECT_THAT(Shown(), AllOf(HasSubstr("02_toy"), HasSubstr("40 of 100")));
  toy_.Save(kSolution, "02_toy");
  // Not done yet is 01, which comes before it.
  EXPECT_THAT(Shown(), HasSubstr("Open exercises/01_toy/client.cc"));
  ExpectQuits();
}

TEST_F(WatchTest, ShowsAllFailuresInFull) {
  toy_.Save("echo nothing\n");
  Watch();
  EXPECT_THAT(Shown(), AllOf(HasSubstr("the client prints 1"),
                             Not(HasSubstr("the client prints 2"))));
  watch_->Type("a");
  EXPECT_THAT(Shown(), AllOf(HasSubstr("the client prints 1"),
                             HasSubstr("the client prints 2")));
  ExpectQuits();
}

TEST_F(WatchTest, ShowsWhatDoesNotBuild) {
  toy_.Save("if then\n");
  Watch();
  EXPECT_THAT(Shown(), HasSubstr("error: no shell reads this"));
  toy_.Save(kSolution);
  EXPECT_THAT(Shown(), HasSubstr("100 of 100"));
  ExpectQuits();
}

TEST_F(WatchTest, SeesEverySave) {
  Watch();
  Shown();
  SaveByRename(kHalf);
  EXPECT_THAT(Shown(), HasSubstr("40 of 100"));
  SaveByRename(kSolution);
  EXPECT_THAT(Shown(), HasSubstr("100 of 100"));
  // The same content, saved once more: whoever saves wants to see it run.
  toy_.Save(kSolution);
  EXPECT_THAT(Shown(), HasSubstr("100 of 100"));
  // A header of the learner's own.
  WriteFile(toy_.Path("exercises/01_toy/own.h"), "");
  EXPECT_THAT(Shown(), HasSubstr("100 of 100"));
  // The whole folder is another one, as after `git checkout`.
  fs::rename(toy_.Path("exercises/01_toy"), toy_.Path("exercises/old"));
  fs::copy(toy_.Path("exercises/old"), toy_.Path("exercises/01_toy"));
  Shown();
  toy_.Save(kHalf);
  Shown("40 of 100");  // between the two it may have been without a file
  Shown();
  ExpectQuits();
}

TEST_F(WatchTest, TwoSavesAreOneRun) {
  const std::string log = toy_.Path("log");
  const auto saying = [&](const std::string& version) {
    return fmt::format("echo {} >>'{}'\n", version, log) + kSolution;
  };
  Watch();
  Shown();
  toy_.Save(saying("first"));
  toy_.Save(saying("second"));
  EXPECT_THAT(Shown(), HasSubstr("100 of 100"));
  EXPECT_EQ(ReadFile(log), "second\nsecond\n");  // two tests, one run
  ExpectQuits();
  EXPECT_EQ(
      watch_->output().find("100 of 100", watch_->output().rfind(kFooter)),
      std::string::npos);
}

TEST_F(WatchTest, ASaveDuringARunStartsItAnew) {
  toy_.Save(Hanging());
  Watch();
  ASSERT_TRUE(WaitForFile(toy_.Path("runs"))) << watch_->output();
  watch_->Type("h");  // keys work meanwhile
  Shown("hint 1 of 2");
  toy_.Save(kSolution);
  EXPECT_THAT(Shown(),
              AllOf(HasSubstr("100 of 100"), Not(HasSubstr("TIMEOUT"))));
  EXPECT_EQ(watch_->output().find("TIMEOUT"), std::string::npos);
  ExpectQuits();
}

TEST_F(WatchTest, ExplainsWhyItCouldNotGrade) {
  Watch();
  Shown();
  const std::string manifest = toy_.Path("exercises/01_toy/exercise.textproto");
  const std::string right = ReadFile(manifest);
  std::ofstream(manifest) << "points: 7\n";
  toy_.Save(kSolution);
  EXPECT_THAT(Shown(), HasSubstr("cannot be read: line 1"));
  std::ofstream(manifest) << right;
  toy_.Save(kSolution);
  EXPECT_THAT(Shown(), HasSubstr("100 of 100"));
  ExpectQuits();
}

TEST_F(WatchTest, SaysThatTheWorkshopHasChanged) {
  Watch();
  Shown();
  const fs::path grader = toy_.Path("build/tests/grader/grader");
  const fs::path real = fs::canonical(grader);
  fs::remove(grader);
  fs::copy(real, grader);
  toy_.Save(kSolution);
  EXPECT_THAT(Shown(), HasSubstr("The workshop itself has changed"));
  ExpectQuits();
}

TEST_F(WatchTest, PollsWhereNoEventsArrive) {
  Watch({"POLL=1"});
  EXPECT_THAT(Shown(), HasSubstr("Looking for changes every half second, since "
                                 "POLL=1 asks for it."));
  toy_.Save(kHalf);
  EXPECT_THAT(Shown(), HasSubstr("40 of 100"));
  SaveByRename(kSolution);
  EXPECT_THAT(Shown(), HasSubstr("100 of 100"));
  ExpectQuits();
}

// A folder that is mounted on another one. Changes in that one are seen in this
// one, and no event tells of them.
class Mount {
 public:
  Mount(const std::string& from, const std::string& to)
      : to_(to), process_(std::vector<std::string>{"bindfs", "-f", from, to}) {}
  ~Mount() {
    process_.Signal(SIGTERM);
    process_.WaitForExit(kLimit);
  }

  // Whether `file` can be seen in it; else why() it cannot be mounted.
  bool Shows(const std::string& file) {
    WaitUntil([&] {
      return fs::exists(to_ + "/" + file) ||
             process_.WaitForExit(std::chrono::milliseconds(0));
    });
    return fs::exists(to_ + "/" + file);
  }
  std::string why() const { return process_.Stderr(); }

 private:
  const std::string to_;
  Process process_;
};

TEST_F(WatchTest, PollsInAFolderThatIsMounted) {
  const std::string elsewhere = toy_.root() + ", elsewhere";
  fs::rename(toy_.root(), elsewhere);
  fs::create_directory(toy_.root());
  Mount mount(elsewhere, toy_.root());
  if (!mount.Shows("Makefile")) {
    GTEST_SKIP() << "nothing can be mounted here: " << mount.why();
  }
  Watch();
  EXPECT_THAT(Shown(), HasSubstr("since this folder is mounted or shared"));
  WriteFile(elsewhere + "/exercises/01_toy/client.cc", kHalf);
  EXPECT_THAT(Shown(), HasSubstr("40 of 100"));
  ExpectQuits();
}

TEST_F(WatchTest, LeavesNothingBehindWhenInterrupted) {
  toy_.Save(Hanging());
  Watch();
  ASSERT_TRUE(WaitForFile(toy_.Path("runs"))) << watch_->output();
  EXPECT_NE(LocalMode(), before_.c_lflag);  // keys are read singly
  watch_->Type(kInterrupt);
  ASSERT_TRUE(watch_->WaitForExit(kLimit));
  ExpectModeRestored();
}

TEST_F(WatchTest, LeavesTheTerminalToTheShellWhileItIsSuspended) {
  Watch();
  Shown();
  const tcflag_t reading = LocalMode();
  ASSERT_NE(reading, before_.c_lflag);
  watch_->Type(kSuspend);
  EXPECT_TRUE(WaitUntil([&] { return LocalMode() == before_.c_lflag; }));
  // A shell would wait until all of make has stopped. This test says `fg` until
  // that helps.
  EXPECT_TRUE(WaitUntil([&] {
    kill(-watch_->pid(), SIGCONT);
    return LocalMode() == reading;
  }));
  toy_.Save(kHalf);
  EXPECT_THAT(Shown(), HasSubstr("40 of 100"));
  ExpectQuits();
}

TEST_F(WatchTest, RestoresTheTerminalWhenItIsKilled) {
  Watch();
  Shown();
  kill(-watch_->pid(), SIGTERM);
  ASSERT_TRUE(watch_->WaitForExit(kLimit));
  ExpectModeRestored();
}

TEST_F(WatchTest, WorksWithoutATerminal) {
  Process::Options options;
  options.environment = toy_.Environment();
  Process watch(toy_.Make({"watch"}), options);
  ASSERT_TRUE(watch.WaitForLine("Waiting for a save; Ctrl-C ends it.", kLimit))
      << watch.Stderr();
  toy_.Save(kSolution);
  ASSERT_TRUE(
      watch.WaitForLine("[########################################] "
                        "100 of 100 points",
                        kLimit));
  EXPECT_THAT(watch.Stdout(), Not(HasSubstr("\033")));
  kill(-watch.pid(), SIGINT);
  EXPECT_TRUE(watch.WaitForExit(kLimit));
}

}  // namespace
}  // namespace workshop::grader
