#include "tests/grader/overview.h"

#include <fmt/format.h>

#include "tests/grader/scorecard.h"

namespace workshop::grader {
namespace {

constexpr int kShortBar = 10;

std::string Standing(const Grade& grade) {
  if (!grade.started) return "not started";
  if (!grade.run.has_time()) return "not graded yet";
  if (!IsCurrent(grade)) return "changed since";
  return grade.passed() ? "done" : "in progress";
}

std::string Line(const std::string& name, int score, int max_score,
                 const std::string& state, int minutes, int hints) {
  std::string line = fmt::format("{:<20} {} {:>4} of {:<4} {:<14} {:>4} min",
                                 name, Bar(score, max_score, kShortBar), score,
                                 max_score, state, minutes);
  if (hints > 0) line += "  " + Counted(hints, "hint");
  return line;
}

}  // namespace

std::string Overview(const std::vector<CourseExercise>& course,
                     const Memory& memory, const Paint& paint) {
  std::string text;
  std::vector<Grade> grades;
  int score = 0, max_score = 0, minutes = 0, hints = 0, done = 0;
  bool changed = false;
  for (const CourseExercise& exercise : course) {
    Grade grade = RememberedGrade(exercise, memory.Load(exercise));
    const std::string state = Standing(grade);
    const std::string line =
        Line(exercise.name, grade.score(), grade.max_score(), state,
             exercise.manifest.minutes(), grade.hints_shown);
    text += (state == "done"          ? paint.Green(line)
             : state == "not started" ? paint.Dim(line)
                                      : paint.Yellow(line)) +
            "\n";
    score += grade.score();
    max_score += grade.max_score();
    minutes += exercise.manifest.minutes();
    hints += grade.hints_shown;
    done += state == "done" ? 1 : 0;
    changed = changed || state == "changed since" || state == "not graded yet";
    grades.push_back(std::move(grade));
  }
  text += "\n" +
          paint.Bold(Line("the course", score, max_score,
                          fmt::format("{} of {} done", done, course.size()),
                          minutes, hints)) +
          "\n";
  if (changed) {
    text +=
        "\nPoints are those of the last time that it was graded. `make "
        "check` grades\nwhat has changed.\n";
  }
  return text + "\n" + paint.Bold("Next") + "\n" + Wrap(NextStep(grades), 2);
}

}  // namespace workshop::grader
