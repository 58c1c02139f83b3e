// Grades one exercise: builds its programs, runs its suite, counts.

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/grader/course.h"
#include "workshop/grader/v1/grader.pb.h"

namespace workshop::grader {

// Where things are.
struct Workshop {
  std::filesystem::path root;   // the source tree
  std::filesystem::path build;  // the build tree
  // The sanitizer that is built into the graded programs: "address". Empty:
  // none.
  std::string sanitizer;
};

// Tells somebody who waits what is being done; called often, with a few words.
using Progress = std::function<void(const std::string& doing)>;

// A program that could not be built.
struct BuildError {
  std::string program;  // "server"
  std::string text;     // what the compiler said, first error first
};

// How a task stands.
struct TaskGrade {
  v1::Task task;
  std::vector<v1::TestReport> tests;  // in the suite's order

  int passed() const;
  bool done() const;
  int score() const { return done() ? task.points() : 0; }
};

// How an exercise stands.
struct Grade {
  CourseExercise exercise;
  std::string sanitizer;  // as in Workshop
  bool started = false;
  std::vector<BuildError> build_errors;
  std::vector<TaskGrade> tasks;
  double suite_seconds = 0;
  v1::Run run;              // what it stands on; unset if not started
  bool remembered = false;  // that run was an earlier one
  int hints_shown = 0;

  bool passed() const;
  int score() const;
  int max_score() const { return MaxScore(exercise.manifest); }
};

// Called after each test with the reports so far: the suite's list, in its
// order, where a test that has not ended has no verdict. True if that is
// enough, and the rest of the suite need not run.
using OnReport = std::function<bool(const std::vector<v1::TestReport>& tests)>;

// Runs a graded suite on `programs` (by name: {"server", PATH}) and returns a
// report for every test in its list, in the list's order; a test whose report
// is lost has failed. Throws CannotGrade if the suite does not run.
std::vector<v1::TestReport> RunSuite(
    const std::filesystem::path& suite,
    const std::map<std::string, std::filesystem::path>& programs,
    std::uint64_t seed, const OnReport& on_report,
    const std::vector<std::string>& more_arguments = {});

// Builds and grades the files in `submission`, which is the exercise's own
// folder or another one that the build knows. If nothing that decides the
// verdict differs from the run `known`, that counts and the suite does not run
// again. Throws CannotGrade if grading is not possible for a reason that is not
// the learner's.
Grade GradeExercise(const Workshop& workshop, const CourseExercise& exercise,
                    const std::filesystem::path& submission, std::uint64_t seed,
                    const Progress& progress, const v1::Run& known = {});

// The grade that `run` has given, without looking whether it still holds.
Grade GradeOf(const CourseExercise& exercise, const v1::Run& run);

}  // namespace workshop::grader
