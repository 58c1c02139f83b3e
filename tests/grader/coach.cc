// The program behind `make watch`, `make hint`, `make diff`, `make reset` and
// `make progress`: what helps a learner between one grade and the next. It is
// none of the grader's, so that nobody waits for it before the first verdict.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/grader/compare.h"
#include "tests/grader/course.h"
#include "tests/grader/grade.h"
#include "tests/grader/hint.h"
#include "tests/grader/memory.h"
#include "tests/grader/overview.h"
#include "tests/grader/reset.h"
#include "tests/grader/supervised.h"
#include "tests/grader/terminal.h"
#include "tests/grader/text.h"
#include "tests/grader/watch.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;

// What was asked for.
struct Request {
  std::string command;
  std::string root = ".";
  std::string build = "build";
  std::string saved;
  std::optional<std::string> exercise;
  std::optional<std::uint64_t> seed;
  bool force = false;
  bool poll = false;
};

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
  Compare(workshop.root, exercise, Paint::Wanted());
  return kPassed;
}

// The exercise that was named, for a command that has no other default.
const CourseExercise& Named(const std::vector<CourseExercise>& course,
                            const Request& request) {
  if (request.exercise) return Find(course, *request.exercise);
  std::string known;
  for (const CourseExercise& exercise : course) {
    known += fmt::format("\n  make {} E={}   {}", request.command,
                         exercise.number(), exercise.name);
  }
  throw CannotGrade("Which exercise? There are:" + known);
}

int Run(const Request& request, const Keyboard* keyboard) {
  const Workshop workshop = {fs::canonical(request.root),
                             fs::canonical(request.build), ""};
  const std::vector<CourseExercise> course = LoadCourse(workshop.root);
  const Memory memory(request.saved.empty() ? workshop.root / ".saved"
                                            : fs::absolute(request.saved));
  const Paint paint(Paint::Wanted());
  const auto named_or_current = [&]() -> const CourseExercise& {
    return request.exercise ? Find(course, *request.exercise)
                            : Current(course, memory);
  };

  if (request.command == "diff") {
    return Diff(workshop, request, Named(course, request), memory);
  }
  if (request.command == "watch") {
    return Watch(workshop, course, named_or_current(), memory, paint,
                 keyboard != nullptr && keyboard->active(), request.poll);
  }
  if (request.command == "hint") {
    std::cout << NextHint(named_or_current(), memory, paint);
  } else if (request.command == "progress") {
    std::cout << Overview(course, memory, paint);
  } else {
    std::cout << Reset(workshop.root, Named(course, request), memory);
  }
  return kPassed;
}

int Main(int argc, char** argv) {
  Request request;
  CLI::App app("Helps with the exercises of the workshop.");
  app.add_option("--root", request.root, "the workshop's folder");
  app.add_option("--build", request.build, "its build folder");
  app.add_option("--saved", request.saved,
                 "where progress is remembered (ROOT/.saved)");
  app.add_option("--exercise", request.exercise, "this one: 01");
  app.add_option("--seed", request.seed, "repeat the inputs of another run");
  app.add_flag("--force", request.force, "compare before all tests pass");
  app.add_flag("--poll", request.poll, "look for changes, expect no events");
  for (const auto& [name, description] :
       {std::pair("diff", "compare with the solution"),
        std::pair("hint", "show the next hint"),
        std::pair("progress", "show the whole course"),
        std::pair("reset", "put the skeleton back"),
        std::pair("watch", "grade again on every save")}) {
    app.add_subcommand(name, description)->fallthrough();
  }
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kPassed : kCouldNotGrade;
  }
  request.command = app.get_subcommands().front()->get_name();
  return Supervised(request.command == "watch", [&](const Keyboard* keyboard) {
    return Run(request, keyboard);
  });
}

}  // namespace
}  // namespace workshop::grader

int main(int argc, char** argv) { return workshop::grader::Main(argc, argv); }
