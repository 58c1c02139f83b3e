#include "tests/grader/hint.h"

#include <fmt/format.h>

namespace workshop::grader {
namespace {

std::string Hint(const v1::Task& task, int index) {
  return Wrap(task.hints(index), 2);
}

// All hints again, for whoever has come to the end of the ladder.
std::string AllHints(const v1::Task& task) {
  std::string text = "These were all; here they are once more.\n";
  for (int i = 0; i < task.hints_size(); ++i) text += "\n" + Hint(task, i);
  return text + "\n" +
         Wrap(fmt::format("It is explained in {}.", task.read()), 0);
}

// What is remembered of the hints of a task; a new entry if nothing is.
v1::HintsShown& HintsOf(const v1::Task& task, v1::Progress& progress) {
  for (v1::HintsShown& hints : *progress.mutable_hints()) {
    if (hints.suite() == task.suite()) return hints;
  }
  v1::HintsShown& hints = *progress.add_hints();
  hints.set_suite(task.suite());
  return hints;
}

}  // namespace

std::string NextHint(const CourseExercise& exercise, const Memory& memory,
                     const Paint& paint) {
  v1::Progress progress = memory.Load(exercise);
  const Grade grade = RememberedGrade(exercise, progress);
  if (grade.passed() && IsCurrent(grade)) {
    return Wrap(
        fmt::format("Exercise {0} is done: there is nothing to hint at."
                    " `make diff E={0}` compares your answer with ours.",
                    exercise.number()),
        0);
  }
  int number = 1;
  const TaskGrade* unfinished = &grade.tasks.front();
  for (const TaskGrade& task : grade.tasks) {
    unfinished = &task;
    if (!task.done()) break;
    ++number;
  }
  const v1::Task& task = unfinished->task;
  number = std::min(number, static_cast<int>(grade.tasks.size()));

  const int shown = HintsOf(task, progress).count();
  const bool is_last = shown >= task.hints_size();
  std::string text = paint.Bold(
      fmt::format("{}, task {}: {}", exercise.name, number, task.title()));
  if (!is_last) {
    text += fmt::format("  (hint {} of {})", shown + 1, task.hints_size());
  }
  text += "\n" + (is_last ? AllHints(task) : Hint(task, shown));
  if (grade.started && !IsCurrent(grade)) {
    text += "\n" +
            Wrap(fmt::format("This is the task that was the first unfinished "
                             "one {}. Your files have changed since: `make "
                             "check E={}` looks again.",
                             grade.run.has_time()
                                 ? "when they were graded, " + When(grade.run)
                                 : "in the skeleton",
                             exercise.number()),
                 0);
  }
  if (!is_last) {
    memory.Update(exercise, [&](v1::Progress& progress) {
      HintsOf(task, progress).set_count(shown + 1);
    });
  }
  return text;
}

}  // namespace workshop::grader
