#include "tests/grader/memory.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <iostream>
#include <system_error>

#include "tests/grader/file_lock.h"
#include "tests/grader/text.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;
using google::protobuf::util::TimeUtil;

// False if `json` is not what Json() has written.
bool Parse(const std::string& json, v1::Progress& progress) {
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;  // of a later version
  return google::protobuf::util::JsonStringToMessage(json, &progress, options)
      .ok();
}

std::string Json(const v1::Progress& progress) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status =
      google::protobuf::util::MessageToJsonString(progress, &json, options);
  if (!status.ok()) throw CannotGrade("progress.json: " + status.ToString());
  return json;
}

}  // namespace

v1::Progress Memory::Load(const CourseExercise& exercise) const {
  const fs::path file = FileOf(exercise);
  v1::Progress progress;
  try {
    if (!fs::exists(file) || Parse(ReadFile(file), progress)) return progress;
    std::cerr << Wrap(
        fmt::format("{} is damaged and is not looked at. Grading {} again "
                    "writes a new one; the old one is kept beside it.",
                    file.string(), exercise.name),
        0);
  } catch (const std::exception& reason) {
    std::cerr << Wrap(reason.what(), 0);
  }
  return {};
}

void Memory::Update(const CourseExercise& exercise,
                    const std::function<void(v1::Progress&)>& change) const {
  const fs::path file = FileOf(exercise);
  try {
    fs::create_directories(file.parent_path());
    const FileLock lock(file.parent_path() / ".lock");
    v1::Progress progress;
    if (fs::exists(file) && !Parse(ReadFile(file), progress)) {
      fs::rename(file, file.string() + ".damaged");
      progress.Clear();
    }
    change(progress);
    WriteFile(file, Json(progress));
  } catch (const std::exception& reason) {
    std::cerr << Wrap(
        fmt::format("This will not be remembered: {}", reason.what()), 0);
  }
}

int HintsShown(const v1::Progress& progress) {
  int shown = 0;
  for (const v1::HintsShown& hints : progress.hints()) shown += hints.count();
  return shown;
}

Grade GradeOwn(const Workshop& workshop, const CourseExercise& exercise,
               const Memory& memory, std::uint64_t seed, bool may_be_remembered,
               StatusLine& status) {
  const Progress progress = [&](const std::string& doing) {
    status.Show(exercise.name + ": " + doing);
  };
  // Another run would build the programs anew that this one is testing.
  const FileLock lock(workshop.build / (".grading-" + exercise.name),
                      [&] { progress("waiting for another run to end"); });
  status.Clear();
  const v1::Progress known = memory.Load(exercise);
  Grade grade =
      GradeExercise(workshop, exercise, exercise.directory, seed, progress,
                    may_be_remembered ? known.run() : v1::Run());
  grade.hints_shown = HintsShown(known);
  if (grade.started && !grade.remembered) {
    status.Clear();
    memory.Update(exercise, [&](v1::Progress& changed) {
      *changed.mutable_run() = grade.run;
    });
  }
  return grade;
}

Grade RememberedGrade(const CourseExercise& exercise,
                      const v1::Progress& progress) {
  const bool started = !IsUntouched(exercise, exercise.directory);
  Grade grade = GradeOf(exercise, started ? progress.run() : v1::Run());
  grade.started = started;
  grade.remembered = true;
  grade.hints_shown = HintsShown(progress);
  return grade;
}

bool IsCurrent(const Grade& grade) {
  return grade.run.sources() ==
         DigestOf(LearnerFiles(grade.exercise, grade.exercise.directory));
}

std::string When(const v1::Run& run) {
  return Ago(
      TimeUtil::DurationToSeconds(TimeUtil::GetCurrentTime() - run.time()));
}

const CourseExercise& Current(const std::vector<CourseExercise>& course,
                              const Memory& memory) {
  const CourseExercise* first_open = nullptr;
  for (const CourseExercise& exercise : course) {
    const Grade grade = RememberedGrade(exercise, memory.Load(exercise));
    if (grade.passed()) continue;
    if (grade.started) return exercise;
    if (first_open == nullptr) first_open = &exercise;
  }
  return first_open == nullptr ? course.front() : *first_open;
}

}  // namespace workshop::grader
