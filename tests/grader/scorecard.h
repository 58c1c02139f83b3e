// What `make check` prints.

#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/grader/grade.h"
#include "tests/grader/text.h"

namespace workshop::grader {

struct ScorecardOptions {
  bool colour = false;
  // Explain every failure, not only the first.
  bool verbose = false;
  // What repeats the random inputs of this run.
  std::uint64_t seed = 0;
};

// The scorecard of `grades`: the exercises with their tasks and points, the
// first failure in full and the others in a line each, and what to do next.
std::string Scorecard(const std::vector<Grade>& grades,
                      const ScorecardOptions& options);

// What to do next, as a text of one or more sentences.
std::string NextStep(const std::vector<Grade>& grades);

}  // namespace workshop::grader
