#include "tests/grader/reset.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <map>
#include <system_error>

#include "tests/grader/file_lock.h"
#include "tests/grader/text.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;
using testing::Exit;
using testing::Process;

constexpr std::chrono::seconds kGitLimit{60};

// The content that the manifest knows by its blob id. Git has it, whatever the
// learner has committed since.
std::string Skeleton(const fs::path& root, const v1::File& file) {
  Process git(
      {"git", "-C", root.string(), "cat-file", "blob", file.skeleton()});
  const auto exit = git.WaitForExit(kGitLimit);
  const std::string content = git.Stdout();
  if (exit == Exit{0, 0} && GitBlobId(content) == file.skeleton()) {
    return content;
  }
  std::string why = git.Stderr();
  if (exit && exit->status == 127) {
    why = "git is not installed.\n";
  } else if (!exit) {
    why = "git did not answer.\n";
  }
  throw CannotGrade(fmt::format(
      "The skeleton of {} comes from git, which cannot give it:\n"
      "  {}Nothing has been changed. A new clone of the workshop has all "
      "skeletons.",
      file.name(), why));
}

// A new folder that is named after the time.
fs::path NewFolder(const fs::path& parent) {
  const std::string time =
      fmt::format("{:%Y-%m-%dT%H-%M-%S}", fmt::localtime(std::time(nullptr)));
  for (int again = 1;; ++again) {
    const fs::path folder =
        parent / (again == 1 ? time : fmt::format("{}-{}", time, again));
    std::error_code error;
    if (fs::create_directories(folder, error)) return folder;
    if (error) {
      throw CannotGrade(
          fmt::format("{} cannot be made: {}. Nothing has been changed.",
                      folder.string(), error.message()));
    }
  }
}

// What is written must be on the disk before what it is a copy of goes.
void Flush(const fs::path& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool done = file >= 0 && fsync(file) == 0;
  const int error = errno;
  if (file >= 0) close(file);
  if (!done) {
    throw CannotGrade(fmt::format("{} cannot be written: {}.", path.string(),
                                  std::strerror(error)));
  }
}

void Save(const fs::path& file, const fs::path& copy) {
  const std::string content = ReadFile(file);
  WriteFile(copy, content);
  Flush(copy);
  Flush(copy.parent_path());
  if (ReadFile(copy) != content) {
    throw CannotGrade(copy.string() + " is not what was written to it.");
  }
}

}  // namespace

std::string Reset(const fs::path& root, const CourseExercise& exercise,
                  const Memory& memory) {
  if (IsUntouched(exercise, exercise.directory)) {
    return Wrap(fmt::format("There is nothing to reset: {} is as it was "
                            "in the beginning.",
                            exercise.name),
                0);
  }
  const fs::path parent = memory.FolderOf(exercise);
  std::error_code error;
  fs::create_directories(parent, error);
  const FileLock lock(parent / ".lock");

  std::map<fs::path, std::string> skeletons;
  for (const v1::File& file : exercise.manifest.files()) {
    skeletons[file.name()] = Skeleton(root, file);
  }
  const fs::path saved = NewFolder(parent);
  try {
    for (const auto& [name, skeleton] : skeletons) {
      const fs::path file = exercise.directory / name;
      if (fs::exists(file)) Save(file, saved / name);
    }
  } catch (const CannotGrade& reason) {
    fs::remove_all(saved, error);
    throw CannotGrade(
        fmt::format("{} Nothing has been changed.", reason.what()));
  }
  const std::string place = saved.lexically_relative(root).string();
  try {
    for (const auto& [name, skeleton] : skeletons) {
      WriteFile(exercise.directory / name, skeleton);
    }
  } catch (const CannotGrade& reason) {
    throw CannotGrade(
        fmt::format("{} Your files are safe in {}/.", reason.what(), place));
  }
  return Wrap(fmt::format("{} is as it was in the beginning. Your files are in "
                          "{}/; this brings them back:",
                          exercise.name, place),
              0) +
         fmt::format("  cp -r {}/. exercises/{}/\n", place, exercise.name);
}

}  // namespace workshop::grader
