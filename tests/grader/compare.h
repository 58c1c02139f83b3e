// What `make diff` shows.

#pragma once

#include <filesystem>

#include "tests/grader/course.h"

namespace workshop::grader {

// Prints how the learner's files differ from the solution's. Throws CannotGrade
// if they cannot be compared.
void Compare(const std::filesystem::path& root, const CourseExercise& exercise,
             bool colour);

}  // namespace workshop::grader
