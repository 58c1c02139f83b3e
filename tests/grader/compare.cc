#include "tests/grader/compare.h"

#include <fmt/format.h>

#include <chrono>
#include <iostream>

#include "tests/support/process.h"

namespace workshop::grader {
namespace {

using testing::Exit;
using testing::Process;

constexpr std::chrono::seconds kDiffLimit{60};

}  // namespace

void Compare(const std::filesystem::path& root, const CourseExercise& exercise,
             bool colour) {
  bool differ = false;
  for (const v1::File& file : exercise.manifest.files()) {
    Process::Options options;
    options.directory = root.string();
    options.on_line = [](const std::string& line, bool is_stderr) {
      if (!is_stderr) std::cout << line << "\n";
    };
    Process diff({"diff", "-uN", colour ? "--color=always" : "--color=never",
                  fmt::format("exercises/{}/{}", exercise.name, file.name()),
                  fmt::format("solutions/{}/{}", exercise.name, file.name())},
                 options);
    const auto exit = diff.WaitForExit(kDiffLimit);
    if (exit != Exit{0, 0} && exit != Exit{1, 0}) {
      throw CannotGrade("The files cannot be compared: " + diff.Stderr());
    }
    differ = differ || exit == Exit{1, 0};
  }
  if (!differ) std::cout << "Your answer is ours, to the last letter.\n";
}

}  // namespace workshop::grader
