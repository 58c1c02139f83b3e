#include "tests/grader/reports.h"

#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/time_util.h>

#include <string_view>

#include "tests/grader/scorecard.h"
#include "tests/grader/text.h"

namespace workshop::grader {
namespace {

// Exercism's limit for what a test has printed.
constexpr std::size_t kOutputLimit = 500;

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : Printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

// Escaped text in which `code` is marked as such.
std::string Marked(std::string_view text) {
  std::string marked = Escaped(text);
  const char* tags[] = {"<code>", "</code>"};
  for (std::size_t at = 0, count = 0;
       (at = marked.find('`', at)) != std::string::npos; ++count) {
    marked.replace(at, 1, tags[count % 2]);
  }
  return marked;
}

std::string Message(const v1::TestReport& test, const v1::Task& task) {
  std::string message;
  for (const auto& [label, text] : Told(test, task.read())) {
    message += fmt::format("{}: {}\n", label, text);
  }
  return message;
}

// The last part of `text` that fits the limit, beginning at a character.
std::string Tail(const std::string& text) {
  if (text.size() <= kOutputLimit) return text;
  std::size_t begin = text.size() - kOutputLimit;
  while (begin < text.size() && (text[begin] & 0xc0) == 0x80) ++begin;
  return text.substr(begin);
}

std::string AllErrors(const Grade& grade) {
  std::string text;
  for (const BuildError& error : grade.build_errors) {
    text += fmt::format("{}.cc does not build:\n{}", error.program,
                        Printable(error.text));
  }
  return text;
}

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --line: #8884; --dim: #767676;
  --good: #1a7f37; --bad: #c62828; --code: #8881; }
@media (prefers-color-scheme: dark) { :root { --dim: #9a9a9a;
  --good: #4cc26a; --bad: #ff7b72; } }
* { box-sizing: border-box; }
body { font: 17px/1.5 system-ui, sans-serif; margin: 0 auto; padding: 1rem;
  max-width: 52rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h2 small { color: var(--dim); font-weight: normal; }
progress { width: 100%; height: 1rem; }
ul { list-style: none; margin: 0; padding: 0; }
li.task { border-top: 1px solid var(--line); padding: .5rem 0; }
li.task > p { display: flex; gap: 1rem; justify-content: space-between;
  margin: 0; font-weight: 600; }
li.test { display: grid; grid-template-columns: 5.5rem 1fr;
  align-items: baseline; padding: .2rem 0 .2rem 1rem; }
li.test dl { grid-column: 1 / 3; }
.PASS b, .DONE { color: var(--good); }
.FAIL b, .CRASH b, .TIMEOUT b, .BUILD_FAIL { color: var(--bad); }
b { font-size: .85rem; }
dl { margin: .3rem 0 1rem; border-left: 3px solid var(--bad);
  padding-left: .8rem; }
dt { color: var(--dim); font-size: .85rem; } dd { margin: 0 0 .4rem; }
dd, pre { white-space: pre-wrap; overflow-wrap: anywhere; }
.sent, .came-back, .printed, pre, code { font-family: ui-monospace, monospace;
  font-size: .88rem; }
pre { background: var(--code); padding: .8rem; border-radius: .4rem; }
.next { border: 1px solid var(--line); border-radius: .4rem; padding: .8rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
)";

std::string Class(std::string label) {
  for (char& c : label) {
    if (c == ' ') c = '-';
  }
  return label;
}

std::string HtmlTest(const v1::TestReport& test, const v1::Task& task) {
  const std::string verdict = VerdictName(test.verdict());
  std::string html = fmt::format("<li class=\"test {0}\"><b>{0}</b> {1}",
                                 verdict, Escaped(TestTitle(test.name())));
  if (test.verdict() != v1::PASS) {
    html += "\n<dl>\n";
    for (const auto& [label, text] : Told(test, task.read())) {
      html += fmt::format(
          "<dt>{}</dt><dd class=\"{}\">{}</dd>\n", Escaped(label), Class(label),
          label == "usually" || label == "promised" ? Marked(text)
                                                    : Escaped(text));
    }
    html += "</dl>";
  }
  return html + "</li>\n";
}

std::string HtmlExercise(const Grade& grade) {
  const v1::Exercise& manifest = grade.exercise.manifest;
  std::string html = fmt::format(
      "<section>\n<h2>{} <small>{}</small></h2>\n"
      "<p>{} of {} points</p>\n"
      "<progress value=\"{}\" max=\"{}\">{} of {} points</progress>\n",
      Escaped(grade.exercise.name), Escaped(manifest.title()), grade.score(),
      grade.max_score(), grade.score(), grade.max_score(), grade.score(),
      grade.max_score());
  if (!grade.started) html += "<p>Not started yet.</p>\n";
  if (grade.hints_shown > 0) {
    html +=
        fmt::format("<p>{} shown.</p>\n", Counted(grade.hints_shown, "hint"));
  }
  if (grade.started && grade.remembered) {
    html += fmt::format(
        "<p>Graded {}, unchanged since.</p>\n",
        google::protobuf::util::TimeUtil::ToString(grade.run.time()));
  }
  for (const BuildError& error : grade.build_errors) {
    html += fmt::format(
        "<p class=\"BUILD_FAIL\">BUILD_FAIL: {}.cc does not "
        "build</p>\n<pre>{}</pre>\n",
        Escaped(error.program), Escaped(error.text));
  }
  html += "<ul>\n";
  int number = 0;
  for (const TaskGrade& task : grade.tasks) {
    html += fmt::format(
        "<li class=\"task\"><p><span>Task {}: {}</span>"
        "<span{}>{} of {}</span></p>\n<ul>\n",
        ++number, Escaped(task.task.title()),
        task.done() ? " class=\"DONE\"" : "", task.score(), task.task.points());
    for (const v1::TestReport& test : task.tests) {
      html += HtmlTest(test, task.task);
    }
    html += "</ul></li>\n";
  }
  return html + "</ul>\n</section>\n";
}

}  // namespace

v1::Results ResultsOf(const Grade& grade) {
  v1::Results results;
  results.set_version(3);
  results.set_score(grade.score());
  results.set_max_score(grade.max_score());
  if (grade.hints_shown > 0) results.set_hints_shown(grade.hints_shown);
  if (!grade.started) {
    results.set_status("error");
    results.set_message("not started: the files are still the skeleton's");
    return results;
  }
  const bool nothing_built = static_cast<int>(grade.build_errors.size()) ==
                             grade.exercise.manifest.programs_size();
  results.set_status(nothing_built    ? "error"
                     : grade.passed() ? "pass"
                                      : "fail");
  if (!grade.build_errors.empty()) results.set_message(AllErrors(grade));
  int number = 0;
  for (const TaskGrade& task : grade.tasks) {
    ++number;
    for (const v1::TestReport& test : task.tests) {
      v1::TestResult& result = *results.add_tests();
      result.set_name(TestTitle(test.name()));
      result.set_status(test.verdict() == v1::PASS   ? "pass"
                        : test.verdict() == v1::FAIL ? "fail"
                                                     : "error");
      result.set_test_code(test.code());
      result.set_task_id(number);
      if (test.verdict() == v1::PASS) continue;
      result.set_message(VerdictName(test.verdict()) + "\n" +
                         Message(test, task.task));
      if (!test.explanation().output().empty()) {
        result.set_output(Tail(Printable(test.explanation().output())));
      }
    }
  }
  return results;
}

std::string ResultsJson(const Grade& grade) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(
      ResultsOf(grade), &json, options);
  if (!status.ok()) throw CannotGrade("results.json: " + status.ToString());
  return json;
}

std::string JUnitXml(const Grade& grade) {
  int tests = 0, failures = 0, errors = 0;
  std::string cases;
  for (const TaskGrade& task : grade.tasks) {
    for (const v1::TestReport& test : task.tests) {
      ++tests;
      cases += fmt::format(
          "    <testcase classname=\"{}.{}\" name=\"{}\" time=\"{:.3f}\"",
          Escaped(grade.exercise.name), Escaped(task.task.suite()),
          Escaped(TestTitle(test.name())), test.seconds());
      if (test.verdict() == v1::PASS) {
        cases += "/>\n";
        continue;
      }
      const bool failed = test.verdict() == v1::FAIL;
      ++(failed ? failures : errors);
      cases += fmt::format(
          ">\n      <{0} message=\"{1}\">{2}</{0}>\n    </testcase>\n",
          failed ? "failure" : "error", VerdictName(test.verdict()),
          Escaped(Message(test, task.task)));
    }
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n"
      "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" "
      "time=\"{:.3f}\">\n{}  </testsuite>\n</testsuites>\n",
      Escaped(grade.exercise.name), tests, failures, errors,
      grade.suite_seconds, cases);
}

std::string Html(const std::vector<Grade>& grades) {
  std::string html = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, "
      "initial-scale=1\">\n<title>gRPC C++ Workshop: your results</title>\n"
      "<style>{}</style>\n</head>\n<body>\n<h1>gRPC C++ Workshop</h1>\n",
      kStyle);
  html += fmt::format("<p class=\"next\">{}</p>\n",
                      Marked("Next: " + NextStep(grades)));
  for (const Grade& grade : grades) html += HtmlExercise(grade);
  return html + "</body>\n</html>\n";
}

void WriteReports(const std::vector<Grade>& grades,
                  const std::filesystem::path& directory) {
  for (const Grade& grade : grades) {
    const std::filesystem::path folder = directory / grade.exercise.name;
    WriteFile(folder / "results.json", ResultsJson(grade));
    WriteFile(folder / "junit.xml", JUnitXml(grade));
  }
  WriteFile(directory / "index.html", Html(grades));
}

}  // namespace workshop::grader
