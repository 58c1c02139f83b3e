// Checks that the course fits together: manifests, skeletons, links.

#include "tests/grader/course.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;
using testing::Exit;
using testing::Process;

const fs::path kRoot = WORKSHOP_SOURCE_DIR;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// The anchor that GitHub gives a heading: "How it works" -> "how-it-works".
std::string Anchor(const std::string& heading) {
  std::string anchor;
  for (const char c : heading) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (c == ' ' || c == '-') {
      anchor += '-';
    }
  }
  return anchor;
}

std::set<std::string> AnchorsOf(const fs::path& page) {
  std::set<std::string> anchors;
  bool in_code = false;
  for (const std::string& line : Lines(ReadFile(page))) {
    if (line.starts_with("```")) in_code = !in_code;
    const std::size_t text = line.find_first_not_of('#');
    if (!in_code && text != 0 && text != std::string::npos) {
      anchors.insert(Anchor(line.substr(text + 1)));
    }
  }
  return anchors;
}

// `link` as it stands in a page of the folder `from`, or from the root.
void ExpectResolves(const std::string& link, const fs::path& from) {
  const std::size_t hash = link.find('#');
  const std::string path = link.substr(0, hash);
  const fs::path page = path.empty() ? from / "README.md" : from / path;
  EXPECT_TRUE(fs::exists(page)) << link << " in " << from;
  if (hash != std::string::npos && fs::exists(page)) {
    EXPECT_TRUE(AnchorsOf(page).contains(link.substr(hash + 1)))
        << link << " in " << from << ": there is no such heading";
  }
}

std::vector<fs::path> Readmes() {
  std::vector<fs::path> readmes = {kRoot / "README.md",
                                   kRoot / "CONTRIBUTING.md"};
  for (const char* const layer : {"lessons", "exercises"}) {
    for (const auto& entry : fs::directory_iterator(kRoot / layer)) {
      const fs::path readme = entry.path() / "README.md";
      if (fs::exists(readme)) readmes.push_back(readme);
    }
  }
  return readmes;
}

TEST(CourseTest, EveryLinkOfEveryReadmeResolves) {
  static const std::regex kLink("\\]\\(([^)]+)\\)");
  for (const fs::path& readme : Readmes()) {
    bool in_code = false;
    for (const std::string& line : Lines(ReadFile(readme))) {
      if (line.starts_with("```")) in_code = !in_code;
      if (in_code) continue;
      for (std::sregex_iterator link(line.begin(), line.end(), kLink), end;
           link != end; ++link) {
        const std::string target = (*link)[1];
        if (target.find("://") == std::string::npos) {
          ExpectResolves(target, readme.parent_path());
        }
      }
    }
  }
}

class ExerciseTest : public ::testing::TestWithParam<CourseExercise> {};

TEST_P(ExerciseTest, ManifestNamesWhatExists) {
  const CourseExercise& exercise = GetParam();
  const v1::Exercise& manifest = exercise.manifest;
  EXPECT_EQ(MaxScore(manifest), 100);
  EXPECT_GT(manifest.minutes(), 0);
  for (const std::string& lesson : manifest.lessons()) {
    EXPECT_TRUE(fs::exists(kRoot / "lessons" / lesson / "README.md")) << lesson;
  }
  for (const v1::Task& task : manifest.tasks()) {
    ExpectResolves(task.read(), kRoot);
    EXPECT_GE(task.hints_size(), 3) << task.suite();
  }
}

TEST_P(ExerciseTest, SaysInThreeLinesWhatWasLearned) {
  const auto& learned = GetParam().manifest.learned();
  EXPECT_EQ(learned.size(), 3);
  for (const std::string& sentence : learned) {
    EXPECT_LE(sentence.size(), 78u) << sentence;
    EXPECT_TRUE(sentence.ends_with('.')) << sentence;
  }
}

TEST_P(ExerciseTest, SuiteNamesPagesThatExist) {
  static const std::regex kJoint("\"\\s*\n\\s*\"");
  static const std::regex kPage("\"((lessons|exercises)/[^\"]*\\.md[^\"]*)\"");
  const fs::path suites = kRoot / "tests/exercises";
  std::vector<fs::path> sources = {suites / (GetParam().name + "_test.cc")};
  if (fs::exists(suites / GetParam().name)) {
    for (const auto& entry : fs::directory_iterator(suites / GetParam().name)) {
      if (entry.path().extension() == ".h") sources.push_back(entry.path());
    }
  }
  for (const fs::path& source : sources) {
    const std::string text = std::regex_replace(ReadFile(source), kJoint, "");
    for (std::sregex_iterator page(text.begin(), text.end(), kPage), end;
         page != end; ++page) {
      ExpectResolves((*page)[1], kRoot);
    }
  }
}

TEST_P(ExerciseTest, SkeletonIsTheOneThatTheManifestKnows) {
  for (const v1::File& file : GetParam().manifest.files()) {
    const fs::path path = GetParam().directory / file.name();
    EXPECT_EQ(GitBlobId(ReadFile(path)), file.skeleton())
        << path << " is not the skeleton that exercise.textproto knows.\n"
        << "If you are solving the exercise, that is as it should be: `make "
           "test` proves the workshop on a clone in which nothing is solved.\n"
        << "If you have changed the skeleton, write its new id there.";
  }
}

// A learner who compares both sees what was to be done, and nothing else.
TEST_P(ExerciseTest, SolutionDiffersInTodosOnly) {
  static const std::regex kTodo("^-.*\\bTODO [0-9]+:.*");
  for (const v1::File& file : GetParam().manifest.files()) {
    Process diff(
        {"diff", "-u", (GetParam().directory / file.name()).string(),
         (kRoot / "solutions" / GetParam().name / file.name()).string()});
    ASSERT_EQ(diff.WaitForExit(std::chrono::seconds(30)), (Exit{1, 0}));
    std::string hunk;
    bool has_todo = true;
    for (const std::string& line : Lines(diff.Stdout())) {
      if (line.starts_with("@@")) {
        EXPECT_TRUE(has_todo) << "this hunk is of no TODO:\n" << hunk;
        hunk.clear();
        has_todo = false;
      }
      hunk += line + "\n";
      has_todo = has_todo || std::regex_match(line, kTodo);
    }
    EXPECT_TRUE(has_todo) << "this hunk is of no TODO:\n" << hunk;
  }
}

TEST_P(ExerciseTest, TodosAreNumberedFromOne) {
  static const std::regex kTodo("TODO ([0-9]+):");
  int next = 1;
  for (const v1::File& file : GetParam().manifest.files()) {
    for (const std::string& line :
         Lines(ReadFile(GetParam().directory / file.name()))) {
      std::smatch todo;
      // The comment, not the message of the same number.
      if (line.find("//") == std::string::npos ||
          !std::regex_search(line, todo, kTodo)) {
        continue;
      }
      EXPECT_EQ(std::stoi(todo[1]), next) << file.name() << ": " << line;
      ++next;
    }
  }
  EXPECT_GT(next, 1);
}

TEST_P(ExerciseTest, IsProvenByMutantsAndAlternatives) {
  const auto patches = [&](const char* kind) {
    int count = 0;
    for (const auto& entry :
         fs::directory_iterator(kRoot / "tests" / kind / GetParam().name)) {
      count += entry.path().extension() == ".patch" ? 1 : 0;
    }
    return count;
  };
  const bool draft = GetParam().manifest.draft();
  EXPECT_GE(patches("mutants"), draft ? 1 : 12);
  EXPECT_GE(patches("alternatives"), draft ? 1 : 3);
}

INSTANTIATE_TEST_SUITE_P(Course, ExerciseTest,
                         ::testing::ValuesIn(LoadCourse(kRoot)),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace workshop::grader
