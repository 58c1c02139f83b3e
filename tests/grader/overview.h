// What `make progress` prints.

#pragma once

#include <string>
#include <vector>

#include "tests/grader/course.h"
#include "tests/grader/memory.h"
#include "tests/grader/text.h"

namespace workshop::grader {

// The whole course as it is remembered: a line for each exercise, the sum, and
// what to do next. Nothing is built or run.
std::string Overview(const std::vector<CourseExercise>& course,
                     const Memory& memory, const Paint& paint);

}  // namespace workshop::grader
