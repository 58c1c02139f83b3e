// What `make reset` does.

#pragma once

#include <filesystem>
#include <string>

#include "tests/grader/course.h"
#include "tests/grader/memory.h"

namespace workshop::grader {

// Puts the skeleton back into an exercise's folder, after it has copied the
// learner's files to a new folder beside what is remembered. Returns what to
// tell about it. Throws CannotGrade if that is not possible; whatever happens,
// no file is replaced before all have been copied.
std::string Reset(const std::filesystem::path& root,
                  const CourseExercise& exercise, const Memory& memory);

}  // namespace workshop::grader
