// What `make hint` shows.

#pragma once

#include <string>

#include "tests/grader/course.h"
#include "tests/grader/memory.h"
#include "tests/grader/text.h"

namespace workshop::grader {

// The next hint of the first task that is not done, as far as is remembered. It
// is counted as shown.
std::string NextHint(const CourseExercise& exercise, const Memory& memory,
                     const Paint& paint);

}  // namespace workshop::grader
