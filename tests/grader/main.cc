// The program behind `make check`.

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <functional>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/grader/course.h"
#include "tests/grader/grade.h"
#include "tests/grader/reports.h"
#include "tests/grader/scorecard.h"
#include "tests/grader/text.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;

// Exit statuses, as the README promises them.
constexpr int kPassed = 0;
constexpr int kSomethingFailed = 1;
constexpr int kCouldNotGrade = 2;

// One line on a terminal that says what is being done, and is replaced by the
// next one; nothing elsewhere.
class StatusLine {
 public:
  StatusLine() : shown_(isatty(STDERR_FILENO) != 0) {}
  ~StatusLine() { Show(""); }

  void Show(const std::string& text) {
    if (!shown_) return;
    std::cerr << "\r\033[K" << text.substr(0, kColumns - 1) << std::flush;
  }

 private:
  const bool shown_;
};

// Grades in a process of its own and cleans up behind it, whatever ends it: its
// result, Ctrl-C, a signal. Returns the exit status.
int Supervised(const std::function<int()>& grade) {
  sigset_t awaited;
  sigemptyset(&awaited);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) {
    sigaddset(&awaited, signal);
  }
  sigset_t before;
  sigprocmask(SIG_BLOCK, &awaited, &before);
  testing::AdoptOrphans();
  const testing::TempDir temporary;
  setenv("TMPDIR", temporary.path().c_str(), /*overwrite=*/1);

  const pid_t grader = fork();
  if (grader < 0) throw CannotGrade("There is no room for another process.");
  if (grader == 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    testing::AdoptOrphans();
#ifndef WORKSHOP_SANITIZED
    // See tests/support/suite.cc: learners' programs run under the same user.
    prctl(PR_SET_DUMPABLE, 0);
#endif
    std::exit(grade());
  }
  int signal = 0;
  int status = 0;
  do {
    sigwait(&awaited, &signal);
  } while (signal == SIGCHLD && waitpid(grader, &status, WNOHANG) == 0);
  testing::KillDescendants();
  if (signal == SIGCHLD && WIFEXITED(status)) return WEXITSTATUS(status);
  if (signal == SIGCHLD) signal = WTERMSIG(status);
  std::cerr << "\nStopped by SIG" << sigabbrev_np(signal)
            << " before the result was known.\n";
  return 128 + signal;
}

int Main(int argc, char** argv) {
  std::string root = ".";
  std::string build = "build";
  std::string report;
  std::string submission;
  std::vector<std::string> wanted;
  ScorecardOptions options;
  options.seed = std::random_device()();
  CLI::App app("Grades the exercises of the workshop.");
  app.add_option("--root", root, "the workshop's folder");
  app.add_option("--build", build, "its build folder");
  app.add_option("--report", report, "where reports go (BUILD/report)");
  app.add_option("--exercise", wanted, "grade only this one: 01");
  app.add_option("--submission", submission,
                 "grade the files in this folder of the build");
  app.add_option("--seed", options.seed, "repeat the inputs of another run");
  std::string sanitizer;
  app.add_option("--sanitizer", sanitizer,
                 "grade programs with this one built in: address");
  app.add_flag("--verbose", options.verbose, "explain every failure");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kPassed : kCouldNotGrade;
  }

  const Workshop workshop = {fs::canonical(root), fs::canonical(build),
                             sanitizer};
  const std::vector<CourseExercise> course = LoadCourse(workshop.root);
  std::vector<CourseExercise> chosen;
  for (const std::string& one : wanted) chosen.push_back(Find(course, one));
  if (chosen.empty()) {
    std::copy_if(
        course.begin(), course.end(), std::back_inserter(chosen),
        [](const CourseExercise& one) { return !one.manifest.draft(); });
  }

  std::vector<Grade> grades;
  {
    StatusLine status;
    for (const CourseExercise& exercise : chosen) {
      const Progress progress = [&](const std::string& doing) {
        status.Show(exercise.name + ": " + doing);
      };
      grades.push_back(GradeExercise(
          workshop, exercise,
          submission.empty() ? exercise.directory : fs::canonical(submission),
          options.seed, progress));
    }
  }

  options.colour = Paint::Wanted();
  std::cout << Scorecard(grades, options);
  const fs::path directory =
      report.empty() ? workshop.build / "report" / sanitizer : fs::path(report);
  WriteReports(grades, directory);
  const bool passed =
      std::all_of(grades.begin(), grades.end(), [&](const Grade& grade) {
        return grade.passed() || (!grade.started && wanted.empty());
      });
  return passed ? kPassed : kSomethingFailed;
}

}  // namespace
}  // namespace workshop::grader

int main(int argc, char** argv) {
  using workshop::grader::kCouldNotGrade;
  try {
    return workshop::grader::Supervised([&] {
      try {
        return workshop::grader::Main(argc, argv);
      } catch (const workshop::grader::CannotGrade& reason) {
        std::cerr << reason.what() << "\n";
        return kCouldNotGrade;
      }
    });
  } catch (const std::exception& error) {
    std::cerr << "The grader could not go on: " << error.what() << "\n";
    return kCouldNotGrade;
  }
}
