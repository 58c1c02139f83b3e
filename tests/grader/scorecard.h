// What `make check` prints.

#pragma once

#include <string>
#include <vector>

#include "tests/grader/grade.h"
#include "tests/grader/text.h"

namespace workshop::grader {

struct ScorecardOptions {
  bool colour = false;
  // Explain every failure, not only the first.
  bool verbose = false;
  // What to do next, if NextStep() would not say it well.
  std::string next;
};

// The scorecard of `grades`: the exercises with their tasks and points, the
// first failure in full and the others in a line each, and what to do next.
std::string Scorecard(const std::vector<Grade>& grades,
                      const ScorecardOptions& options);

// "[####------]", with `width` characters in it.
std::string Bar(int score, int max_score, int width);

// What to do next, as a text of one or more sentences; while
// `watching` a save is all that is asked for.
std::string NextStep(const std::vector<Grade>& grades, bool watching = false);

// That an exercise is done, and how to compare, as a sentence or two.
std::string DoneText(const CourseExercise& exercise);

}  // namespace workshop::grader
