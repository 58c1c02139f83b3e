// The course as the grader sees it: the exercises and their manifests.

#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "workshop/grader/v1/grader.pb.h"

namespace workshop::grader {

// A reason why nothing can be graded, as a sentence that says what to do.
class CannotGrade : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// An exercise of the course.
struct CourseExercise {
  std::string name;                 // "01_calculator"
  std::filesystem::path directory;  // exercises/01_calculator
  v1::Exercise manifest;

  std::string number() const { return name.substr(0, 2); }
};

// All exercises below `root`, in their order. Throws CannotGrade if a manifest
// cannot be read.
std::vector<CourseExercise> LoadCourse(const std::filesystem::path& root);

// The exercise that `wanted` means: "1", "01" or "01_calculator". Throws
// CannotGrade, naming those that exist, if there is none.
const CourseExercise& Find(const std::vector<CourseExercise>& course,
                           const std::string& wanted);

// Whether all files of `exercise` in `directory` are still the skeleton's.
bool IsUntouched(const CourseExercise& exercise,
                 const std::filesystem::path& directory);

// The learner's files in `directory`: those that the manifest names, be they
// there or not, and what other sources have been put beside them.
std::vector<std::filesystem::path> LearnerFiles(
    const CourseExercise& exercise, const std::filesystem::path& directory);

// A digest of the names and the contents of files. One that is not there, or
// cannot be read, is just another content.
std::string DigestOf(const std::vector<std::filesystem::path>& files);

// What `git hash-object` prints for a file with this content.
std::string GitBlobId(const std::string& content);

// The points of all tasks together.
int MaxScore(const v1::Exercise& exercise);

// The content of a file; throws CannotGrade if it cannot be read.
std::string ReadFile(const std::filesystem::path& path);

// Replaces a file as a whole, so that a full disk leaves the old one. Throws
// CannotGrade if it cannot be written.
void WriteFile(const std::filesystem::path& path, const std::string& content);

}  // namespace workshop::grader
