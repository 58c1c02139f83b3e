// The program behind `make check`.

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "tests/grader/compare.h"
#include "tests/grader/course.h"
#include "tests/grader/file_lock.h"
#include "tests/grader/grade.h"
#include "tests/grader/hint.h"
#include "tests/grader/memory.h"
#include "tests/grader/overview.h"
#include "tests/grader/reports.h"
#include "tests/grader/reset.h"
#include "tests/grader/scorecard.h"
#include "tests/grader/terminal.h"
#include "tests/grader/text.h"
#include "tests/grader/watch.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;

// Exit statuses, as the README promises them.
constexpr int kPassed = 0;
constexpr int kSomethingFailed = 1;
constexpr int kCouldNotGrade = 2;

// How long what has been told to end may take to clean up.
constexpr std::chrono::seconds kCleanUpLimit{3};

// What was asked for.
struct Request {
  std::string command;  // empty: to grade
  std::string root = ".";
  std::string build = "build";
  std::string report;
  std::string saved;
  std::string submission;
  std::string sanitizer;
  std::vector<std::string> wanted;
  std::optional<std::uint64_t> seed;
  bool all = false;
  bool force = false;
  bool poll = false;
  ScorecardOptions options;
};

// Tells what `worker` has started to end, and waits until it has. A compiler
// that is killed instead would leave half an object file behind.
void EndChildrenOf(pid_t worker) {
  kill(worker, SIGSTOP);  // it is not to go on as if they had ended themselves
  std::vector<int> ends;
  std::error_code gone;
  for (const auto& task : fs::directory_iterator(
           "/proc/" + std::to_string(worker) + "/task", gone)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child = 0; children >> child;) {
      const int end = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
      if (end < 0) continue;
      ends.push_back(end);
      kill(child, SIGTERM);
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + kCleanUpLimit;
  for (const int end : ends) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd polled = {end, POLLIN, 0};
    poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    close(end);
  }
}

// Works in a process of its own and cleans up behind it, whatever ends it: its
// result, Ctrl-C, a signal. Returns the exit status. With `keys`, single keys
// can be read from the terminal, which gets its mode back in any case.
int Supervised(bool keys, const std::function<int(const Keyboard*)>& work) {
  sigset_t awaited;
  sigemptyset(&awaited);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) {
    sigaddset(&awaited, signal);
  }
  if (keys) sigaddset(&awaited, SIGTSTP);
  sigprocmask(SIG_BLOCK, &awaited, nullptr);
  testing::AdoptOrphans();
  const testing::TempDir temporary;
  setenv("TMPDIR", temporary.path().c_str(), /*overwrite=*/1);
  std::optional<Keyboard> keyboard;
  if (keys) keyboard.emplace();

  const pid_t worker = fork();
  if (worker < 0) throw CannotGrade("There is no room for another process.");
  if (worker == 0) {
    // A terminal's signals come to both of us, and are for the other one.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    testing::AdoptOrphans();
#ifndef WORKSHOP_SANITIZED
    // See tests/support/suite.cc: learners' programs run under the same user.
    prctl(PR_SET_DUMPABLE, 0);
#endif
    std::exit(work(keyboard ? &*keyboard : nullptr));
  }
  int signal = 0;
  int status = 0;
  while (true) {
    sigwait(&awaited, &signal);
    if (signal == SIGTSTP) {
      keyboard->Restore();
      kill(worker, SIGSTOP);
      raise(SIGSTOP);
      keyboard->Take();
      kill(worker, SIGCONT);
    } else if (signal != SIGCHLD || waitpid(worker, &status, WNOHANG) != 0) {
      break;
    }
  }
  if (signal != SIGCHLD) EndChildrenOf(worker);
  testing::KillDescendants();
  if (signal == SIGCHLD && WIFEXITED(status)) return WEXITSTATUS(status);
  if (signal == SIGCHLD) signal = WTERMSIG(status);
  std::cerr << "\nStopped by SIG" << sigabbrev_np(signal)
            << (keys ? ".\n" : " before the result was known.\n");
  return 128 + signal;
}

// Grades one exercise in its own folder, and remembers how that went. A run
// that is remembered counts if `may_be_remembered`.
Grade GradeOwn(const Workshop& workshop, const CourseExercise& exercise,
               const Memory& memory, std::uint64_t seed, bool may_be_remembered,
               StatusLine& status) {
  const Progress progress = [&](const std::string& doing) {
    status.Show(exercise.name + ": " + doing);
  };
  // Another run would build the programs anew that this one is testing.
  const FileLock lock(workshop.build / (".grading-" + exercise.name),
                      [&] { progress("waiting for another run to end"); });
  status.Clear();
  const v1::Progress known = memory.Load(exercise);
  Grade grade =
      GradeExercise(workshop, exercise, exercise.directory, seed, progress,
                    may_be_remembered ? known.run() : v1::Run());
  grade.hints_shown = HintsShown(known);
  if (grade.started && !grade.remembered) {
    status.Clear();
    memory.Update(exercise, [&](v1::Progress& changed) {
      *changed.mutable_run() = grade.run;
    });
  }
  return grade;
}

int Check(const Workshop& workshop, const Request& request,
          const std::vector<CourseExercise>& chosen, const Memory& memory) {
  const std::uint64_t seed = request.seed.value_or(std::random_device()());
  // Who names an exercise or a seed wants to see it run.
  const bool may_be_remembered =
      request.wanted.empty() && !request.seed && !request.all;
  std::vector<Grade> grades;
  {
    StatusLine status;
    for (const CourseExercise& exercise : chosen) {
      // Whoever names an exercise is about to begin with it; of the others, not
      // even the suite is built before they are started.
      if (request.wanted.empty() && request.submission.empty() &&
          IsUntouched(exercise, exercise.directory)) {
        grades.push_back(GradeOf(exercise, {}));
        grades.back().hints_shown = HintsShown(memory.Load(exercise));
        continue;
      }
      // What a sanitizer finds says nothing about the points.
      if (request.submission.empty() && request.sanitizer.empty()) {
        grades.push_back(GradeOwn(workshop, exercise, memory, seed,
                                  may_be_remembered, status));
        continue;
      }
      const fs::path submission = request.submission.empty()
                                      ? exercise.directory
                                      : fs::canonical(request.submission);
      grades.push_back(GradeExercise(
          workshop, exercise, submission, seed, [&](const std::string& doing) {
            status.Show(exercise.name + ": " + doing);
          }));
      grades.back().sanitizer = request.sanitizer;
    }
  }

  std::cout << Scorecard(grades, request.options);
  const fs::path directory = request.report.empty()
                                 ? workshop.build / "report" / request.sanitizer
                                 : fs::path(request.report);
  WriteReports(grades, directory);
  const bool passed =
      std::all_of(grades.begin(), grades.end(), [&](const Grade& grade) {
        return grade.passed() || (!grade.started && request.wanted.empty());
      });
  return passed ? kPassed : kSomethingFailed;
}

int Diff(const Workshop& workshop, const Request& request,
         const CourseExercise& exercise, const Memory& memory) {
  if (!request.force) {
    StatusLine status;
    const Grade grade = GradeOwn(workshop, exercise, memory,
                                 request.seed.value_or(std::random_device()()),
                                 /*may_be_remembered=*/true, status);
    status.Clear();
    if (!grade.passed()) {
      std::cout << Wrap(
          fmt::format(
              "Exercise {0} has {1} of {2} points, and ours would take the fun "
              "out of the rest. `make check E={0}` says what is missing, `make "
              "hint E={0}` helps, and `make diff E={0} FORCE=1` compares all "
              "the same.",
              exercise.number(), grade.score(), grade.max_score()),
          0);
      return kSomethingFailed;
    }
  }
  Compare(workshop.root, exercise, request.options.colour);
  return kPassed;
}

// The exercise that was named, for a command that has no other default.
const CourseExercise& Named(const std::vector<CourseExercise>& course,
                            const Request& request) {
  if (!request.wanted.empty()) return Find(course, request.wanted.front());
  std::string known;
  for (const CourseExercise& exercise : course) {
    known += fmt::format("\n  make {} E={}   {}", request.command,
                         exercise.number(), exercise.name);
  }
  throw CannotGrade("Which exercise? There are:" + known);
}

int Run(Request request, const Keyboard* keyboard) {
  const Workshop workshop = {fs::canonical(request.root),
                             fs::canonical(request.build), request.sanitizer};
  const std::vector<CourseExercise> course = LoadCourse(workshop.root);
  const Memory memory(request.saved.empty() ? workshop.root / ".saved"
                                            : fs::absolute(request.saved));
  request.options.colour = Paint::Wanted();
  const Paint paint(request.options.colour);
  const auto wanted_or_current = [&]() -> const CourseExercise& {
    return request.wanted.empty() ? Current(course, memory)
                                  : Find(course, request.wanted.front());
  };

  if (request.command == "progress") {
    std::cout << Overview(course, memory, paint);
    return kPassed;
  }
  if (request.command == "hint") {
    std::cout << NextHint(wanted_or_current(), memory, paint);
    return kPassed;
  }
  if (request.command == "reset") {
    std::cout << Reset(workshop.root, Named(course, request), memory);
    return kPassed;
  }
  if (request.command == "diff") {
    return Diff(workshop, request, Named(course, request), memory);
  }
  if (request.command == "watch") {
    return Watch(workshop, course, wanted_or_current(), memory, paint,
                 keyboard != nullptr && keyboard->active(), request.poll);
  }
  std::vector<CourseExercise> chosen;
  for (const std::string& one : request.wanted) {
    chosen.push_back(Find(course, one));
  }
  if (chosen.empty()) {
    for (const CourseExercise& one : course) {
      if (!one.manifest.draft()) chosen.push_back(one);
    }
  }
  return Check(workshop, request, chosen, memory);
}

int Main(int argc, char** argv) {
  Request request;
  CLI::App app("Grades the exercises of the workshop, and helps with them.");
  app.add_option("--root", request.root, "the workshop's folder");
  app.add_option("--build", request.build, "its build folder");
  app.add_option("--report", request.report, "where reports go (BUILD/report)");
  app.add_option("--saved", request.saved,
                 "where progress is remembered (ROOT/.saved)");
  app.add_option("--exercise", request.wanted, "only this one: 01");
  app.add_option("--submission", request.submission,
                 "grade the files in this folder of the build");
  app.add_option("--seed", request.seed, "repeat the inputs of another run");
  app.add_option("--sanitizer", request.sanitizer,
                 "grade programs with this one built in: address");
  app.add_flag("--all", request.all, "also grade what has not changed");
  app.add_flag("--force", request.force, "compare before all tests pass");
  app.add_flag("--poll", request.poll, "look for changes, expect no events");
  app.add_flag("--verbose", request.options.verbose, "explain every failure");
  for (const auto& [name, description] :
       {std::pair("diff", "compare with the solution"),
        std::pair("hint", "show the next hint"),
        std::pair("progress", "show the whole course"),
        std::pair("reset", "put the skeleton back"),
        std::pair("watch", "grade again on every save")}) {
    app.add_subcommand(name, description)->fallthrough();
  }
  app.require_subcommand(0, 1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kPassed : kCouldNotGrade;
  }
  for (const CLI::App* const command : app.get_subcommands()) {
    request.command = command->get_name();
  }
  return Supervised(request.command == "watch", [&](const Keyboard* keyboard) {
    try {
      return Run(request, keyboard);
    } catch (const CannotGrade& reason) {
      std::cerr << reason.what() << "\n";
      return kCouldNotGrade;
    }
  });
}

}  // namespace
}  // namespace workshop::grader

int main(int argc, char** argv) {
  try {
    return workshop::grader::Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "The grader could not go on: " << error.what() << "\n";
    return workshop::grader::kCouldNotGrade;
  }
}
