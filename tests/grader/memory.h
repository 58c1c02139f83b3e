// What the workshop remembers of a learner's work from one run to the next.

#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "tests/grader/course.h"
#include "tests/grader/grade.h"
#include "tests/grader/terminal.h"
#include "workshop/grader/v1/grader.pb.h"

namespace workshop::grader {

// Keeps the progress of each exercise as NN_topic/progress.json in one folder:
// `.saved` beside the sources, and not in the build folder, so that `make
// clean` takes none of it.
class Memory {
 public:
  explicit Memory(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // What is known of an exercise. A file that cannot be read says nothing; the
  // reason is printed on stderr.
  v1::Progress Load(const CourseExercise& exercise) const;

  // Changes it, with no other process doing the same meanwhile. If it cannot be
  // written, that is said on stderr, and nothing is changed.
  void Update(const CourseExercise& exercise,
              const std::function<void(v1::Progress&)>& change) const;

  // Where an exercise's own things are kept.
  std::filesystem::path FolderOf(const CourseExercise& exercise) const {
    return folder_ / exercise.name;
  }

 private:
  std::filesystem::path FileOf(const CourseExercise& exercise) const {
    return FolderOf(exercise) / "progress.json";
  }

  const std::filesystem::path folder_;
};

// How many hints of an exercise have been shown.
int HintsShown(const v1::Progress& progress);

// Grades one exercise in its own folder, and remembers how that went. A run
// that is remembered counts if `may_be_remembered`.
Grade GradeOwn(const Workshop& workshop, const CourseExercise& exercise,
               const Memory& memory, std::uint64_t seed, bool may_be_remembered,
               StatusLine& status);

// The grade that is remembered. It may be out of date: IsCurrent().
Grade RememberedGrade(const CourseExercise& exercise,
                      const v1::Progress& progress);

// Whether the learner's files are still those that the grade is of.
bool IsCurrent(const Grade& grade);

// "just now", "3 minutes ago": when the suite ran.
std::string When(const v1::Run& run);

// The exercise to go on with: the first that is begun and not done, else the
// first that is not done, else the first.
const CourseExercise& Current(const std::vector<CourseExercise>& course,
                              const Memory& memory);

}  // namespace workshop::grader
