#include "tests/grader/toy_workshop.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/grader/course.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = WORKSHOP_SOURCE_DIR;
const fs::path kBuild = WORKSHOP_BUILD_DIR;

std::string Manifest(const std::string& name) {
  return fmt::format(R"(title: "The toy {}"
lessons: "01_unary"
minutes: 10
files {{ name: "client.cc" skeleton: "{}" }}
programs: "client"
tasks {{
  suite: "Task1_One" title: "One" points: 40 read: "README.md#one"
  hints: "A nudge to one." hints: "The answer is 1."
}}
tasks {{
  suite: "Task2_Two" title: "Two" points: 60 read: "README.md#two"
  hints: "A nudge to two." hints: "The answer is 2."
}}
learned: "That one is 1."
learned: "That two is 2."
learned: "That {} ends here."
)",
                     name, GitBlobId(kSkeleton), name);
}

// Copying is compiling, and `sh -n` finds the errors.
constexpr char kRules[] = R"(
rule compile
  command = sh -n $in || { echo "error: no shell reads this"; exit 1; } && $
    { echo '#!/bin/sh'; cat $in; } >$out.new && chmod +x $out.new && $
    mv $out.new $out
build grader: phony
build coach: phony
)";

}  // namespace

ToyWorkshop::ToyWorkshop() : root_(directory_.path() + "/the workshop") {
  const fs::path root = root_;
  const fs::path build = root / "build";
  fs::create_directories(root);
  fs::copy(kRoot / "Makefile", root);
  fs::copy(kRoot / ".make", root / ".make", fs::copy_options::recursive);
  std::string ninja = kRules;
  for (const std::string name : {"01_toy", "02_toy"}) {
    WriteFile(root / "exercises" / name / "exercise.textproto", Manifest(name));
    WriteFile(root / "solutions" / name / "client.cc", kSolution);
    Save(kSkeleton, name);
    const std::string suite = "tests/exercises/" + name + "_test";
    fs::create_directories((build / suite).parent_path());
    fs::create_symlink(kBuild / "tests/toy_suite", build / suite);
    fs::create_directories(build / "exercises" / name);
    ninja += fmt::format(
        "build {1}: phony\n"
        "build exercises/{0}/client: compile ../exercises/{0}/client.cc\n",
        name, suite);
  }
  WriteFile(build / "build.ninja", ninja);
  fs::create_directories(build / "tests/grader");
  for (const char* const program : {"grader", "coach"}) {
    fs::create_symlink(kBuild / "tests/grader" / program,
                       build / "tests/grader" / program);
  }
  // What .make/setup leaves once all is installed.
  WriteFile(build / ".setup", "base dev\n");
  fs::last_write_time(root / ".make/setup",
                      fs::file_time_type::clock::now() - std::chrono::hours(1));
}

void ToyWorkshop::Save(const std::string& text, const std::string& exercise) {
  fs::create_directories(fs::path(ClientPath(exercise)).parent_path());
  std::ofstream(ClientPath(exercise), std::ios::binary) << text;
}

std::vector<std::string> ToyWorkshop::Make(
    const std::vector<std::string>& arguments) const {
  std::vector<std::string> command = {"env"};
  for (const char* const name : {"E", "L", "V", "SEED", "ALL", "FORCE", "POLL",
                                 "NO_COLOR", "MAKEFLAGS", "MFLAGS"}) {
    command.insert(command.end(), {"-u", name});
  }
  command.insert(command.end(), {"make", "--no-print-directory", "-C", root_});
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

bool WaitUntil(const std::function<bool()>& condition) {
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

bool WaitForFile(const std::string& path) {
  return WaitUntil([&] { return fs::exists(path); });
}

std::string Children() {
  std::ifstream file("/proc/thread-self/children");
  std::string pids;
  std::getline(file, pids);
  return pids;
}

}  // namespace workshop::grader
