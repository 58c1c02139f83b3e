// The program behind `make check`.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/grader/course.h"
#include "tests/grader/grade.h"
#include "tests/grader/memory.h"
#include "tests/grader/reports.h"
#include "tests/grader/scorecard.h"
#include "tests/grader/supervised.h"
#include "tests/grader/terminal.h"
#include "tests/grader/text.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;

// What was asked for.
struct Request {
  std::string root = ".";
  std::string build = "build";
  std::string report;
  std::string saved;
  std::string submission;
  std::string sanitizer;
  std::vector<std::string> wanted;
  std::optional<std::uint64_t> seed;
  bool all = false;
  ScorecardOptions options;
};

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

int Main(int argc, char** argv) {
  Request request;
  CLI::App app("Grades the exercises of the workshop.");
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
  app.add_flag("--verbose", request.options.verbose, "explain every failure");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kPassed : kCouldNotGrade;
  }
  return Supervised(/*keys=*/false, [&](const Keyboard*) {
    const Workshop workshop = {fs::canonical(request.root),
                               fs::canonical(request.build), request.sanitizer};
    const std::vector<CourseExercise> course = LoadCourse(workshop.root);
    const Memory memory(request.saved.empty() ? workshop.root / ".saved"
                                              : fs::absolute(request.saved));
    request.options.colour = Paint::Wanted();
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
  });
}

}  // namespace
}  // namespace workshop::grader

int main(int argc, char** argv) { return workshop::grader::Main(argc, argv); }
