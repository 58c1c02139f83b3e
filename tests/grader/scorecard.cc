#include "tests/grader/scorecard.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include "tests/grader/memory.h"

namespace workshop::grader {
namespace {

constexpr std::size_t kLabelWidth = 11;
constexpr int kBarWidth = 40;
// Lines of compiler output that are shown; the first error is what counts.
constexpr std::size_t kCompilerLines = 16;
constexpr std::size_t kAllLines = 200;  // with V=1

// Printed columns, for text in ASCII without colour.
std::string Right(const std::string& left, const std::string& right) {
  const std::size_t used = left.size() + right.size();
  return left + std::string(used < kColumns ? kColumns - used : 1, ' ') + right;
}

std::string FirstLines(const std::string& text, std::size_t count) {
  std::size_t end = 0;
  for (std::size_t i = 0; i < count; ++i) {
    end = text.find('\n', end);
    if (end == std::string::npos) return text;
    ++end;
  }
  return text.substr(0, end) + "[...]\n";
}

std::string Padded(std::string text, std::size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text;
}

std::string State(const Grade& grade) {
  if (!grade.started) return "NOT_STARTED";
  if (grade.passed()) return "DONE";
  if (!grade.build_errors.empty()) return "BUILD_FAIL";
  return "IN_PROGRESS";
}

// The command that grades an exercise as it has been graded now.
std::string CheckCommand(const Grade& grade) {
  std::string command = "make check E=" + grade.exercise.number();
  if (!grade.sanitizer.empty()) command += " SANITIZE=" + grade.sanitizer;
  return command;
}

class Card {
 public:
  Card(const std::vector<Grade>& grades, const ScorecardOptions& options)
      : grades_(grades), options_(options), paint_(options.colour) {}

  std::string Text() {
    int score = 0, max_score = 0;
    for (const Grade& grade : grades_) {
      Exercise(grade);
      score += grade.score();
      max_score += grade.max_score();
    }
    out_ += fmt::format("\n{} {} of {} points\n",
                        Bar(score, max_score, kBarWidth), score, max_score);
    for (const Grade& grade : grades_) Failures(grade);
    Seeds();
    if (grades_.size() == 1) Learned(grades_.front());
    out_ += "\n" + paint_.Bold("Next") + "\n" +
            Wrap(options_.next.empty() ? NextStep(grades_) : options_.next, 2);
    return out_;
  }

 private:
  void Exercise(const Grade& grade) {
    if (!out_.empty()) out_ += "\n";
    const std::string points =
        fmt::format("{} of {}", grade.score(), grade.max_score());
    const std::string name =
        grade.exercise.name + "  " + grade.exercise.manifest.title();
    std::string line = Right(name, Padded(State(grade), 13) + points);
    const std::size_t state = line.rfind(State(grade));
    out_ += paint_.Bold(line.substr(0, state));
    const std::string rest = line.substr(state);
    out_ += grade.passed()      ? paint_.Green(rest)
            : !grade.started    ? paint_.Dim(rest)
            : grade.score() > 0 ? paint_.Yellow(rest)
                                : paint_.Red(rest);
    out_ += "\n";
    if (grade.remembered && grade.started) {
      out_ += paint_.Dim(Wrap(
          fmt::format("Graded {}, unchanged since. `ALL=1` grades it again.",
                      When(grade.run)),
          2));
    }
    int number = 0;
    for (const TaskGrade& task : grade.tasks) Task(grade, task, ++number);
  }

  void Task(const Grade& grade, const TaskGrade& task, int number) {
    const std::string points =
        fmt::format("{} of {}", task.score(), task.task.points());
    std::string marks;
    for (const v1::TestReport& test : task.tests) {
      marks += test.verdict() == v1::PASS ? '+' : '-';
    }
    const std::string left =
        fmt::format("  Task {}  {}", number, task.task.title());
    const std::string state =
        !grade.started ? ""
                       : fmt::format("{}  {} of {} tests", marks, task.passed(),
                                     task.tests.size());
    const std::string line =
        Right(left, Padded(state, 13) + fmt::format("{:>12}", points));
    out_ += task.done() ? paint_.Green(line) : line;
    out_ += "\n";
  }

  void Failures(const Grade& grade) {
    for (const BuildError& error : grade.build_errors) {
      out_ += fmt::format("\n{}\n", paint_.Red(fmt::format(
                                        "BUILD_FAIL  {}: {}.cc does not build",
                                        grade.exercise.name, error.program)));
      const std::string text = Printable(error.text);
      const std::string shown =
          FirstLines(text, options_.verbose ? kAllLines : kCompilerLines);
      // A compiler's lines are not wrapped: its carets point at columns.
      for (std::size_t begin = 0; begin < shown.size();) {
        const std::size_t end = shown.find('\n', begin);
        out_ += "  " + shown.substr(begin, end - begin) + "\n";
        if (end == std::string::npos) break;
        begin = end + 1;
      }
      explained_ = true;
    }
    int number = 0;
    bool failed = false;
    std::vector<Alike> others;
    for (const TaskGrade& task : grade.tasks) {
      ++number;
      for (const v1::TestReport& test : task.tests) {
        if (test.verdict() == v1::PASS) continue;
        failed = true;
        if (options_.verbose || !explained_) {
          Explained(grade, task, number, test);
          explained_ = true;
        } else {
          Collect(others, test);
        }
      }
    }
    if (failed) seeds_.insert(grade.run.seed());
    InALineEach(grade, others);
  }

  void Seeds() {
    for (const std::uint64_t seed : seeds_) {
      out_ += "\n" + paint_.Dim(Wrap(
                         fmt::format("Random inputs came from seed {0}; "
                                     "`SEED={0}` behind the command repeats "
                                     "them.",
                                     seed),
                         0));
    }
  }

  void Learned(const Grade& grade) {
    const auto& learned = grade.exercise.manifest.learned();
    if (!grade.passed() || learned.empty()) return;
    out_ += "\n" + paint_.Bold("What you have learned") + "\n";
    for (const std::string& sentence : learned) out_ += Wrap(sentence, 2);
  }

  // Failures of the same kind: a server that does not start breaks one promise
  // in many tests, and saying so once is enough.
  struct Alike {
    std::string verdict;
    std::string promised;
    std::string came_back;
    std::vector<std::string> titles;
  };

  static void Collect(std::vector<Alike>& others, const v1::TestReport& test) {
    std::string came_back;
    if (!test.explanation().came_back().empty()) {
      came_back = Printable(test.explanation().came_back(0));
      came_back = came_back.substr(0, came_back.find('\n'));
    }
    const std::string verdict = VerdictName(test.verdict());
    const auto same =
        std::find_if(others.begin(), others.end(), [&](const Alike& alike) {
          return alike.verdict == verdict &&
                 (alike.came_back == came_back ||
                  alike.promised == test.explanation().promised());
        });
    Alike& alike =
        same != others.end()
            ? *same
            : others.emplace_back(
                  Alike{verdict, test.explanation().promised(), came_back, {}});
    alike.titles.push_back(TestTitle(test.name()));
  }

  void Explained(const Grade& grade, const TaskGrade& task, int number,
                 const v1::TestReport& test) {
    out_ += "\n" +
            paint_.Red(fmt::format(
                "{}  {}, task {}: {}", VerdictName(test.verdict()),
                grade.exercise.name, number, TestTitle(test.name()))) +
            "\n";
    for (const auto& [label, text] : Told(test, task.task.read())) {
      std::string wrapped = Wrap(text, kLabelWidth + 2);
      wrapped.replace(2, kLabelWidth, paint_.Dim(Padded(label, kLabelWidth)));
      out_ += wrapped;
    }
  }

  void InALineEach(const Grade& grade, const std::vector<Alike>& others) {
    if (others.empty()) return;
    out_ += "\n" +
            paint_.Bold(fmt::format("Also failing (`{} V=1` explains each)",
                                    CheckCommand(grade))) +
            "\n";
    for (const Alike& alike : others) {
      std::vector<std::string> subjects = alike.titles;
      if (subjects.size() > 2) {
        subjects = {fmt::format("{} tests", subjects.size())};
      }
      for (const std::string& subject : subjects) {
        std::string line =
            fmt::format("  {}  {}", Padded(alike.verdict, 7), subject);
        if (!alike.came_back.empty()) line += ": " + alike.came_back;
        if (line.size() > kColumns) {
          line = line.substr(0, kColumns - 3) + "...";
        }
        out_ += line + "\n";
      }
    }
  }

  const std::vector<Grade>& grades_;
  const ScorecardOptions options_;
  const Paint paint_;
  std::string out_;
  bool explained_ = false;         // one failure has been told in full
  std::set<std::uint64_t> seeds_;  // of the runs in which a test did not pass
};

std::string Enumerated(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 == names.size() ? " and " : ", ") + names[i];
  }
  return text;
}

}  // namespace

std::string Bar(int score, int max_score, int width) {
  const int full = max_score == 0 ? 0 : width * score / max_score;
  return fmt::format("[{}{}]", std::string(static_cast<std::size_t>(full), '#'),
                     std::string(static_cast<std::size_t>(width - full), '-'));
}

std::string DoneText(const CourseExercise& exercise) {
  return fmt::format(
      "Exercise {0} is done. Compare your answer with ours: `make diff E={0}`.",
      exercise.number());
}

std::string NextStep(const std::vector<Grade>& grades, bool watching) {
  for (const Grade& grade : grades) {
    if (grade.started && !grade.passed()) {
      return fmt::format(
          "Fix the first failure{}. What is promised stands in {}/README.md.",
          watching
              ? " and save"
              : fmt::format(", save, and run `{}` again", CheckCommand(grade)),
          "exercises/" + grade.exercise.name);
    }
  }
  std::string done;
  for (const Grade& grade : grades) {
    const std::string folder = "exercises/" + grade.exercise.name;
    if (grade.passed() && !grade.sanitizer.empty()) {
      done = fmt::format(
          "Exercise {} passes, and the sanitizer has found nothing in it.\n",
          grade.exercise.number());
      continue;
    }
    if (grade.passed()) {
      done = DoneText(grade.exercise) + "\n";
      continue;
    }
    std::vector<std::string> lessons;
    for (const std::string& lesson : grade.exercise.manifest.lessons()) {
      lessons.push_back("lessons/" + lesson + "/README.md");
    }
    std::vector<std::string> files;
    for (const v1::File& file : grade.exercise.manifest.files()) {
      files.push_back(folder + "/" + file.name());
    }
    return fmt::format(
        "{}Read {} first, then {}/README.md for what is promised. Open {}, do "
        "the first TODO, and {}.",
        done, Enumerated(lessons), folder, Enumerated(files),
        watching
            ? "save"
            : fmt::format("run `make check E={}`", grade.exercise.number()));
  }
  return done + (watching || grades.size() > 1
                     ? "That was all there is: you have "
                       "finished the workshop."
                     : "`make check` shows the whole course.");
}

std::string Scorecard(const std::vector<Grade>& grades,
                      const ScorecardOptions& options) {
  return Card(grades, options).Text();
}

}  // namespace workshop::grader
