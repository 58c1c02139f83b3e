// Proves a graded suite: runs it on programs whose worth is known and checks
// that it sees that. ctest runs this for the skeleton, the solution, and each
// mutant, alternative and worthless answer.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/grader/grade.h"
#include "tests/grader/text.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;

// The test that a mutant says must catch it, from the line "Caught-by: TEST" in
// front of its diff.
std::string CaughtBy(const fs::path& patch) {
  std::istringstream lines(ReadFile(patch));
  constexpr std::string_view kMark = "Caught-by: ";
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(kMark)) return line.substr(kMark.size());
  }
  throw CannotGrade(patch.string() + " has no line \"Caught-by: TEST\".");
}

void Print(const v1::TestReport& test) {
  std::cout << VerdictName(test.verdict()) << "  " << test.name()
            << fmt::format("  ({:.2f} s)\n", test.seconds());
  if (test.verdict() == v1::PASS) return;
  for (const auto& [label, text] : Told(test, "")) {
    std::cout << "    " << label << ": " << text << "\n";
  }
}

std::ptrdiff_t Count(const std::vector<v1::TestReport>& tests,
                     v1::Verdict verdict) {
  return std::count_if(tests.begin(), tests.end(), [&](const auto& test) {
    return test.verdict() == verdict;
  });
}

// Whether half of the suite passes: a suite that fails wholesale has not
// understood the mistake.
bool HalfPass(const std::vector<v1::TestReport>& tests) {
  return 2 * Count(tests, v1::PASS) >= std::ssize(tests);
}

// The report of the test that must catch a mutant; null if there is none.
const v1::TestReport* ReportOf(const std::string& catcher,
                               const std::vector<v1::TestReport>& tests) {
  const auto test = std::find_if(
      tests.begin(), tests.end(),
      [&](const auto& report) { return report.name() == catcher; });
  return test == tests.end() ? nullptr : &*test;
}

// What is wrong with the suite; empty if nothing is.
std::string Problem(const std::vector<v1::TestReport>& tests,
                    const std::string& expected, const std::string& catcher) {
  if (expected == "pass") {
    return Count(tests, v1::PASS) == std::ssize(tests)
               ? ""
               : "a right answer does not pass every test";
  }
  if (expected == "fail") {
    // FAIL and not CRASH: a skeleton starts and answers.
    return Count(tests, v1::FAIL) == std::ssize(tests)
               ? ""
               : "the skeleton does not just fail every test";
  }
  if (expected == "nothing") {
    std::map<std::string, bool> earned;  // by task
    for (const v1::TestReport& test : tests) {
      const std::string task = test.name().substr(0, test.name().find('.'));
      const bool so_far = earned.try_emplace(task, true).first->second;
      earned[task] = so_far && test.verdict() == v1::PASS;
    }
    for (const auto& [task, is_earned] : earned) {
      if (is_earned) return task + " is earned";
    }
    return "";
  }
  const v1::TestReport* const test = ReportOf(catcher, tests);
  if (test == nullptr) return "there is no test " + catcher;
  if (test->verdict() == v1::PASS) return catcher + " does not catch it";
  if (!HalfPass(tests)) return "it fails the suite wholesale";
  return "";
}

int Main(int argc, char** argv) {
  std::string suite, expected, mutant;
  std::vector<std::string> programs;
  std::uint64_t seed = std::random_device()();
  CLI::App app("Proves a graded suite on programs whose worth is known.");
  app.add_option("--suite", suite, "the suite")->required();
  app.add_option("--program", programs, "NAME=PATH");
  app.add_option("--expect", expected, "what must come out")
      ->check(CLI::IsMember({"pass", "fail", "caught", "nothing"}))
      ->required();
  app.add_option("--mutant", mutant, "the patch, for `caught`");
  app.add_option("--seed", seed, "repeat the inputs of another run");
  CLI11_PARSE(app, argc, argv);

  std::map<std::string, fs::path> paths;
  for (const std::string& program : programs) {
    const std::size_t equals = program.find('=');
    paths[program.substr(0, equals)] = program.substr(equals + 1);
  }
  // A mutant is told by the test that must catch it and by half of the suite,
  // which is much less than all of it.
  std::string catcher;
  std::vector<std::string> more_arguments;
  if (expected == "caught") {
    catcher = CaughtBy(mutant);
    more_arguments = {"--first", catcher};
  }
  const auto enough = [&](const std::vector<v1::TestReport>& tests) {
    const v1::TestReport* const test = ReportOf(catcher, tests);
    return test != nullptr && test->verdict() != v1::VERDICT_UNSPECIFIED &&
           HalfPass(tests);
  };
  testing::AdoptOrphans();
  const std::vector<v1::TestReport> tests =
      RunSuite(suite, paths, seed, enough, more_arguments);
  testing::KillDescendants();
  for (const v1::TestReport& test : tests) {
    if (test.verdict() != v1::VERDICT_UNSPECIFIED) Print(test);
  }
  std::cout << "seed " << seed << "\n";
  const std::string problem = Problem(tests, expected, catcher);
  if (problem.empty()) return 0;
  std::cout << "NOT PROVEN: " << problem << "\n";
  return 1;
}

}  // namespace
}  // namespace workshop::grader

int main(int argc, char** argv) {
  try {
    return workshop::grader::Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
