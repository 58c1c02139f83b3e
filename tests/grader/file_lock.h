// Lets one process at a time do what two would spoil for each other.

#pragma once

#include <filesystem>
#include <functional>

namespace workshop::grader {

// Holds the lock of a file, which is made if need be, for its own lifetime. The
// system frees it also when the process dies.
class FileLock {
 public:
  // Waits until nobody else holds the lock, and calls `on_wait` before it does.
  // Throws CannotGrade if the file cannot be made.
  explicit FileLock(
      const std::filesystem::path& file,
      const std::function<void()>& on_wait = [] {});
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  const int file_;
};

}  // namespace workshop::grader
