#include "tests/grader/file_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "tests/grader/course.h"

namespace workshop::grader {

FileLock::FileLock(const std::filesystem::path& file,
                   const std::function<void()>& on_wait)
    : file_(open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0666)) {
  if (file_ < 0) {
    throw CannotGrade(fmt::format(
        "{0} cannot be written: {1}. `chmod -R u+w {0}`, or use a copy of the "
        "workshop that is yours.",
        file.parent_path().string(), std::strerror(errno)));
  }
  if (flock(file_, LOCK_EX | LOCK_NB) == 0) return;
  on_wait();
  while (flock(file_, LOCK_EX) != 0 && errno == EINTR) {
  }
}

FileLock::~FileLock() { close(file_); }

}  // namespace workshop::grader
