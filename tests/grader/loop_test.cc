// Tests what a learner types between one exercise and the next: `make check`
// and what it remembers, `make hint`, `make progress`, `make reset`, `make
// diff`.

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/file.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "tests/grader/course.h"
#include "tests/grader/file_lock.h"
#include "tests/grader/toy_workshop.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::Exit;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::Process;

constexpr std::chrono::minutes kLimit{2};

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() { testing::AdoptOrphans(); }

  void TearDown() override {
    EXPECT_TRUE(fs::is_empty(toy_.temporary()));
    EXPECT_EQ(Children(), "") << "these processes outlived the grader";
    testing::KillDescendants();
  }

  Process::Options Options() const {
    Process::Options options;
    options.environment = toy_.Environment();
    return options;
  }

  // `make ARGUMENT...`; returns its exit status. What it printed is in `out_`
  // and `err_`, the latter without what make itself says about a failure.
  int Make(const std::vector<std::string>& arguments) {
    Process make(toy_.Make(arguments), Options());
    const std::optional<Exit> exit = make.WaitForExit(kLimit);
    out_ = make.Stdout();
    err_ = make.Stderr();
    const std::size_t own = err_.rfind("make: ***");
    if (own != std::string::npos) err_.erase(own);
    if (!exit) ADD_FAILURE() << "make hangs";
    return exit ? exit->status : -1;
  }

  // Without what git tidies up afterwards, in a process of its own.
  void Git(std::vector<std::string> arguments) {
    std::vector<std::string> command = {"git",
                                        "-C",
                                        toy_.root(),
                                        "-c",
                                        "maintenance.auto=false",
                                        "-c",
                                        "user.name=A Learner",
                                        "-c",
                                        "user.email=learner@example.com"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    Process git(command, Options());
    ASSERT_EQ(git.WaitForExit(kLimit), (Exit{0, 0})) << git.Stderr();
  }

  // As after a clone, and with the learner's first steps committed.
  void MakeRepository() {
    std::ofstream(toy_.Path(".gitignore")) << "/build/\n/.saved/\n";
    Git({"init", "--quiet"});
    Git({"add", "--all"});
    Git({"commit", "--quiet", "--message", "The workshop"});
  }

  // The folders that `make reset` has made.
  std::vector<fs::path> Saved() const {
    std::vector<fs::path> folders;
    if (!fs::exists(toy_.Path(".saved/01_toy"))) return folders;
    for (const auto& entry :
         fs::directory_iterator(toy_.Path(".saved/01_toy"))) {
      if (entry.is_directory()) folders.push_back(entry.path());
    }
    return folders;
  }

  std::string Remembered() const {
    return toy_.Path(".saved/01_toy/progress.json");
  }

  ToyWorkshop toy_;
  std::string out_;
  std::string err_;
};

TEST_F(LoopTest, RemembersAResultUntilSomethingChanges) {
  toy_.Save(kHalf);
  EXPECT_EQ(Make({"check"}), 1);
  EXPECT_EQ(err_, "");
  EXPECT_THAT(out_, AllOf(HasSubstr("40 of 100"), Not(HasSubstr("unchanged"))));
  EXPECT_EQ(Make({"check"}), 1);
  EXPECT_THAT(out_, AllOf(HasSubstr("40 of 100"),
                          HasSubstr("Graded just now, unchanged since."),
                          HasSubstr("the client prints 2")));
  EXPECT_THAT(ReadFile(toy_.Path("build/report/index.html")),
              HasSubstr("unchanged since"));

  // Each of these asks for a run: a number, ALL, a seed, and a new content.
  for (const std::string wish : {"E=01", "ALL=1", "SEED=7"}) {
    EXPECT_EQ(Make({"check", wish}), 1);
    EXPECT_THAT(out_, Not(HasSubstr("unchanged"))) << wish;
  }
  EXPECT_THAT(out_, HasSubstr("seed 7"));
  EXPECT_EQ(Make({"check"}), 1);
  EXPECT_THAT(out_, AllOf(HasSubstr("unchanged"), HasSubstr("seed 7")));
  toy_.Save(kSolution);
  EXPECT_EQ(Make({"check"}), 0);
  EXPECT_THAT(out_,
              AllOf(HasSubstr("100 of 100"), Not(HasSubstr("unchanged"))));
}

TEST_F(LoopTest, GradesAgainWhenTheSuiteOrTheManifestHasChanged) {
  toy_.Save(kSolution);
  EXPECT_EQ(Make({"check"}), 0);
  std::ofstream(toy_.Path("exercises/01_toy/exercise.textproto"), std::ios::app)
      << "# Changed.\n";
  EXPECT_EQ(Make({"check"}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("unchanged")));
  EXPECT_EQ(Make({"check"}), 0);
  EXPECT_THAT(out_, HasSubstr("unchanged"));

  // A library that the suite loads.
  WriteFile(toy_.Path("build/tests/exercises/01_toy/broken/lib.so"), "new");
  EXPECT_EQ(Make({"check"}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("unchanged")));

  // Another suite: a copy of the same with something behind its end.
  const fs::path suite = toy_.Path("build/tests/exercises/01_toy_test");
  const fs::path real = fs::canonical(suite);
  fs::remove(suite);
  fs::copy(real, suite);
  std::ofstream(suite, std::ios::app) << "changed";
  EXPECT_EQ(Make({"check"}), 0);
  EXPECT_THAT(out_, Not(HasSubstr("unchanged")));
}

TEST_F(LoopTest, RemembersWhatDidNotBuild) {
  toy_.Save("if then\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Make({"check"}), 1);
    EXPECT_THAT(out_, AllOf(HasSubstr("BUILD_FAIL"),
                            HasSubstr("error: no shell reads this")));
  }
  EXPECT_THAT(out_, HasSubstr("unchanged"));
}

TEST_F(LoopTest, RemembersWhatIsNotText) {
  toy_.Save("printf '\\377\\n'; printf '\\377\\n' >&2; exit 1\n");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Make({"check"}), 1);
    EXPECT_EQ(err_, "");
    EXPECT_THAT(out_, AllOf(HasSubstr("FAIL  01_toy, task 1: Prints one"),
                            HasSubstr("exited with status 1")));
  }
  EXPECT_THAT(out_, HasSubstr("unchanged"));
}

TEST_F(LoopTest, SurvivesADamagedMemory) {
  toy_.Save(kSolution);
  EXPECT_EQ(Make({"check"}), 0);
  const std::string whole = ReadFile(Remembered());
  for (const std::string& damaged :
       {whole.substr(0, whole.size() / 2), std::string("\xff\0{", 3),
        std::string()}) {
    std::ofstream(Remembered(), std::ios::binary) << damaged;
    EXPECT_EQ(Make({"progress"}), 0);
    EXPECT_THAT(err_, HasSubstr("is damaged"));
    EXPECT_EQ(Make({"check"}), 0);
    EXPECT_THAT(out_, Not(HasSubstr("unchanged")));
    EXPECT_EQ(ReadFile(Remembered() + ".damaged"), damaged);
    EXPECT_EQ(Make({"check"}), 0);
    EXPECT_EQ(err_, "");
    EXPECT_THAT(out_, HasSubstr("unchanged"));
  }
}

TEST_F(LoopTest, GradesAlsoWhereNothingCanBeRemembered) {
  toy_.Save(kSolution);
  std::ofstream(toy_.Path(".saved")) << "a file where a folder should be";
  EXPECT_EQ(Make({"check"}), 0);
  EXPECT_THAT(out_, HasSubstr("100 of 100"));
  EXPECT_THAT(err_, HasSubstr("This will not be remembered"));
}

TEST_F(LoopTest, KeepsWhatWasGradedBeforeAnInterruption) {
  toy_.Save(kSolution);
  const std::string runs = toy_.Path("runs");
  toy_.Save(fmt::format("touch '{}'; exec sleep 1000\n", runs), "02_toy");
  {
    Process make(toy_.Make({"check"}), Options());
    ASSERT_TRUE(WaitForFile(runs));
    kill(-make.pid(), SIGINT);
    EXPECT_TRUE(make.WaitForExit(kLimit));
  }
  EXPECT_EQ(Make({"progress"}), 0);
  EXPECT_THAT(out_, HasSubstr("1 of 2 done"));
}

TEST_F(LoopTest, LetsACompilerCleanUpWhenInterrupted) {
  const std::string half = toy_.Path("half.o");
  const std::string compiling = toy_.Path("compiling");
  const std::string rules = toy_.Path("build/build.ninja");
  std::string text = ReadFile(rules);
  text.replace(
      text.find("command = "), 10,
      fmt::format("command = trap \"rm '{0}'; exit 1\" TERM; : >'{0}'; "
                  "sleep 1000 & : >'{1}'; wait; ",
                  half, compiling));
  WriteFile(rules, text);
  toy_.Save(kSolution);
  Process make(toy_.Make({"check", "E=01"}), Options());
  ASSERT_TRUE(WaitForFile(compiling));
  kill(-make.pid(), SIGINT);
  EXPECT_TRUE(make.WaitForExit(kLimit));
  EXPECT_FALSE(fs::exists(half));
}

TEST_F(LoopTest, TwoRunsOfAnExerciseWaitForEachOther) {
  // Fails if another one runs at the same time.
  toy_.Save(fmt::format(
      "mkdir \"{0}\" && {{ sleep 0.3; {1} rmdir \"{0}\"; }}\n",
      toy_.Path("busy-$1"), "case $1 in one) echo 1 ;; two) echo 2 ;; esac;"));
  Process first(toy_.Make({"check", "E=01"}), Options());
  Process second(toy_.Make({"check", "E=01"}), Options());
  EXPECT_EQ(first.WaitForExit(kLimit), (Exit{0, 0})) << first.Stdout();
  EXPECT_EQ(second.WaitForExit(kLimit), (Exit{0, 0})) << second.Stdout();
}

TEST_F(LoopTest, HintsGoFromANudgeToTheAnswer) {
  EXPECT_EQ(Make({"hint", "E=01"}), 0);
  EXPECT_THAT(
      out_, AllOf(HasSubstr("01_toy, task 1: One  (hint 1 of 2)"),
                  HasSubstr("A nudge to one."), Not(HasSubstr("The answer"))));
  EXPECT_EQ(Make({"hint"}), 0);  // the first that is not done is 01
  EXPECT_THAT(out_,
              AllOf(HasSubstr("The answer is 1."), Not(HasSubstr("A nudge"))));
  EXPECT_EQ(Make({"hint"}), 0);
  EXPECT_THAT(out_,
              AllOf(HasSubstr("once more"), HasSubstr("A nudge to one."),
                    HasSubstr("The answer is 1."), HasSubstr("README.md#one")));

  toy_.Save(kHalf);
  EXPECT_EQ(Make({"check", "E=01"}), 1);
  EXPECT_THAT(ReadFile(toy_.Path("build/report/01_toy/results.json")),
              HasSubstr("\"hints_shown\": 2"));
  EXPECT_THAT(ReadFile(toy_.Path("build/report/index.html")),
              HasSubstr("2 hints shown"));
  EXPECT_EQ(Make({"hint"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("A nudge to two."),
                          Not(HasSubstr("have changed since"))));

  toy_.Save(kSolution);
  EXPECT_EQ(Make({"hint", "E=01"}), 0);
  EXPECT_THAT(out_, HasSubstr("have changed since"));
  EXPECT_EQ(Make({"check", "E=01"}), 0);
  EXPECT_EQ(Make({"hint", "E=01"}), 0);
  EXPECT_THAT(out_, HasSubstr("nothing to hint at"));
  EXPECT_EQ(Make({"hint"}), 0);
  EXPECT_THAT(out_, HasSubstr("02_toy, task 1"));
  EXPECT_EQ(Make({"hint", "E=03"}), 2);
  EXPECT_THAT(err_, HasSubstr("There is no exercise \"03\""));
}

TEST_F(LoopTest, ProgressShowsTheWholeCourse) {
  EXPECT_EQ(Make({"progress"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("0 of 200"), HasSubstr("0 of 2 done"),
                          HasSubstr("20 min"), HasSubstr("make check E=01")));
  toy_.Save(kHalf);
  EXPECT_EQ(Make({"progress"}), 0);
  EXPECT_THAT(out_, HasSubstr("not graded yet"));
  EXPECT_EQ(Make({"check"}), 1);
  EXPECT_EQ(Make({"hint"}), 0);
  EXPECT_EQ(Make({"progress"}), 0);
  EXPECT_THAT(
      out_,
      HasSubstr("01_toy               [####------]   40 of 100  in progress  "
                "    10 min  1 hint\n"
                "02_toy               [----------]    0 of 100  not started  "
                "    10 min\n"));
  toy_.Save(kSolution);
  EXPECT_EQ(Make({"progress"}), 0);
  EXPECT_THAT(out_, HasSubstr("changed since"));
  EXPECT_EQ(Make({"check"}), 0);
  fs::remove_all(toy_.Path("build/report"));
  EXPECT_EQ(Make({"progress"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("1 of 2 done"), HasSubstr("100 of 200"),
                          HasSubstr("make check E=02")));
}

TEST_F(LoopTest, ResetSavesTheLearnersFilesAside) {
  MakeRepository();
  toy_.Save(kHalf);
  Git({"commit", "--quiet", "--all", "--message", "My own work"});
  toy_.Save(kSolution);
  EXPECT_EQ(Make({"reset", "E=01"}), 0);
  EXPECT_EQ(ReadFile(toy_.ClientPath()), kSkeleton);
  ASSERT_EQ(Saved().size(), 1u);
  EXPECT_EQ(ReadFile(Saved()[0] / "client.cc"), kSolution);

  // The command that it tells brings them back.
  const std::size_t command = out_.find("cp -r ");
  ASSERT_NE(command, std::string::npos) << out_;
  Process::Options options = Options();
  options.directory = toy_.root();
  Process copy({"sh", "-c", out_.substr(command)}, options);
  EXPECT_EQ(copy.WaitForExit(kLimit), (Exit{0, 0})) << copy.Stderr();
  EXPECT_EQ(ReadFile(toy_.ClientPath()), kSolution);

  EXPECT_EQ(Make({"reset", "E=01"}), 0);
  EXPECT_EQ(Saved().size(), 2u);  // in the same second, perhaps
  EXPECT_EQ(Make({"reset", "E=01"}), 0);
  EXPECT_THAT(out_, HasSubstr("nothing to reset"));
  EXPECT_EQ(Saved().size(), 2u);
}

TEST_F(LoopTest, ResetBringsADeletedFileBack) {
  MakeRepository();
  fs::remove(toy_.ClientPath());
  EXPECT_EQ(Make({"reset", "E=01"}), 0);
  EXPECT_EQ(ReadFile(toy_.ClientPath()), kSkeleton);
}

TEST_F(LoopTest, ResetChangesNothingThatItCannotSaveOrReplace) {
  toy_.Save(kHalf);
  EXPECT_EQ(Make({"reset"}), 2);
  EXPECT_THAT(err_, HasSubstr("make reset E=01"));

  EXPECT_EQ(Make({"reset", "E=01"}), 2);
  EXPECT_THAT(err_, AllOf(HasSubstr("comes from git"),
                          HasSubstr("Nothing has been changed")));

  MakeRepository();
  // The first commit has kHalf: this git has never seen the skeleton.
  fs::remove_all(toy_.Path(".git"));
  toy_.Save(kHalf, "02_toy");
  MakeRepository();
  EXPECT_EQ(Make({"reset", "E=01"}), 2);
  EXPECT_THAT(err_, HasSubstr("Nothing has been changed"));

  fs::remove_all(toy_.Path(".saved"));
  std::ofstream(toy_.Path(".saved")) << "a file where a folder should be";
  EXPECT_EQ(Make({"reset", "E=01"}), 2);
  EXPECT_EQ(ReadFile(toy_.ClientPath()), kHalf);
}

TEST_F(LoopTest, ResetKeepsTheFilesWhenTheDiskIsFull) {
  MakeRepository();
  // More than the file size limit below lets a process write: what a full disk
  // says, said by the kernel without one.
  const std::string large = kHalf + std::string(8 << 10, '#') + "\n";
  toy_.Save(large);
  EXPECT_EQ(Make({"progress"}), 0);  // builds what there is to build
  Process::Options options = Options();
  options.directory = toy_.root();
  Process reset({"bash", "-c",
                 "trap '' XFSZ; ulimit -f 4; exec build/tests/grader/coach "
                 "reset --exercise 01"},
                options);
  EXPECT_EQ(reset.WaitForExit(kLimit), (Exit{2, 0}));
  EXPECT_THAT(reset.Stderr(), HasSubstr("Nothing has been changed"));
  EXPECT_EQ(ReadFile(toy_.ClientPath()), large);
  EXPECT_TRUE(Saved().empty());
}

TEST_F(LoopTest, DiffComparesWhatPasses) {
  EXPECT_EQ(Make({"diff", "E=01"}), 1);
  EXPECT_THAT(out_, AllOf(HasSubstr("0 of 100 points"), HasSubstr("FORCE=1"),
                          Not(HasSubstr("+case"))));
  EXPECT_EQ(Make({"diff", "E=01", "FORCE=1"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("--- exercises/01_toy/client.cc"),
                          HasSubstr("+++ solutions/01_toy/client.cc"),
                          HasSubstr("+case"), Not(HasSubstr("\033"))));
  EXPECT_EQ(Make({"diff"}), 2);
  EXPECT_THAT(err_, HasSubstr("make diff E=01"));

  // It need not have been graded before.
  toy_.Save(kSolution + std::string("# Mine.\n"));
  EXPECT_EQ(Make({"diff", "E=01"}), 0);
  EXPECT_THAT(out_, AllOf(HasSubstr("-# Mine."), Not(HasSubstr("-case"))));
  toy_.Save(kSolution);
  EXPECT_EQ(Make({"diff", "E=01"}), 0);
  EXPECT_THAT(out_, HasSubstr("to the last letter"));
}

}  // namespace
}  // namespace workshop::grader
