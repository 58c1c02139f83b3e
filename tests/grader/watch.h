// What `make watch` does.

#pragma once

#include <vector>

#include "tests/grader/course.h"
#include "tests/grader/grade.h"
#include "tests/grader/memory.h"
#include "tests/grader/text.h"

namespace workshop::grader {

// Grades `first`, and from then on each exercise one of whose files is saved,
// by `make check`'s own script, until `q` is typed. With `keys`, it shows hints
// and explanations too. It looks for changes itself if it is told to `poll`, or
// where file events do not arrive. Returns the exit status.
int Watch(const Workshop& workshop, const std::vector<CourseExercise>& course,
          const CourseExercise& first, const Memory& memory, const Paint& paint,
          bool keys, bool poll);

}  // namespace workshop::grader
