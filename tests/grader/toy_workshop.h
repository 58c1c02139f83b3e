// A workshop of two toy exercises in a folder of its own, with the real scripts
// and the real grader: what a learner does can be done there by a test.

#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace workshop::grader {

// What a learner may write into a toy's client.cc. They are shell scripts.
inline constexpr char kSkeleton[] = "# TODO 1: print what is asked for.\n";
inline constexpr char kHalf[] = "[ \"$1\" = one ] && echo 1\n";
inline constexpr char kSolution[] =
    "case $1 in one) echo 1 ;; two) echo 2 ;; esac\n";

class ToyWorkshop {
 public:
  // The exercises are 01_toy and 02_toy, untouched.
  ToyWorkshop();

  // The workshop's folder, which has a space in its name.
  const std::string& root() const { return root_; }
  std::string Path(const std::string& below) const {
    return root_ + "/" + below;
  }

  // The learner's file of exercise 01 or another one.
  std::string ClientPath(const std::string& exercise = "01_toy") const {
    return Path("exercises/" + exercise + "/client.cc");
  }
  // Saves `text` there, as the simplest of editors does.
  void Save(const std::string& text, const std::string& exercise = "01_toy");

  // `make ARGUMENT...` there, with no variable of the make around this one. The
  // command's temporary files go to `temporary`.
  std::vector<std::string> Make(
      const std::vector<std::string>& arguments) const;
  std::map<std::string, std::string> Environment() const {
    return {{"TMPDIR", temporary_.path()}};
  }
  const std::string& temporary() const { return temporary_.path(); }

 private:
  testing::TempDir directory_;
  testing::TempDir temporary_;
  std::string root_;
};

// Waits until `condition` holds, or `path` exists; false after a minute.
bool WaitUntil(const std::function<bool()>& condition);
bool WaitForFile(const std::string& path);

// The processes that this one is the parent of, as /proc lists them.
std::string Children();

}  // namespace workshop::grader
