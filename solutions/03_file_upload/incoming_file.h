// A file on its way into a folder: nobody sees it before it is complete.

#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>
#include <string_view>
#include <system_error>

namespace workshop::files {

// Has a temporary name in the folder until it is kept, and is removed with the
// object if it was not. One server has the folder for itself.
class IncomingFile {
 public:
  IncomingFile() = default;
  ~IncomingFile() {
    if (fd_ < 0) return;
    close(fd_);
    unlink(temporary_.c_str());  // if it was kept, its other name remains
  }

  IncomingFile(const IncomingFile&) = delete;
  IncomingFile& operator=(const IncomingFile&) = delete;

  // Creates the file, empty, in `folder`. To be called once, and first.
  std::error_code Create(const std::filesystem::path& folder) {
    folder_ = folder;
    temporary_ = folder / (kPrefix + id_);
    fd_ =
        open(temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
    return fd_ < 0 ? LastError() : std::error_code();
  }

  // Writes `bytes` behind those that it has.
  std::error_code Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t size = write(fd_, bytes.data(), bytes.size());
      if (size >= 0) {
        bytes.remove_prefix(static_cast<std::size_t>(size));
      } else if (errno != EINTR) {
        return LastError();
      }
    }
    return {};
  }

  // Gives the file its name in the folder: all of it or nothing, and lasting,
  // whatever happens to the machine afterwards. std::errc::file_exists if the
  // name is taken, however short a time ago.
  std::error_code Keep(const std::string& name) {
    if (fsync(fd_) != 0) return LastError();
    // And not rename(), which would replace a file of that name.
    if (link(temporary_.c_str(), (folder_ / name).c_str()) != 0) {
      return LastError();
    }
    // The name is the folder's content.
    const int folder = open(folder_.c_str(), O_DIRECTORY | O_CLOEXEC);
    const bool is_safe = folder >= 0 && fsync(folder) == 0;
    const std::error_code error = is_safe ? std::error_code() : LastError();
    if (folder >= 0) close(folder);
    return error;
  }

  // Random, and so different from that of every other file.
  const std::string& id() const { return id_; }

  // Removes the files that a server which was killed has left in `folder`.
  static void RemoveLeftovers(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().filename().string().rfind(kPrefix, 0) == 0) {
        std::filesystem::remove(entry.path());
      }
    }
  }

 private:
  static inline const std::string kPrefix = ".incoming-";

  static std::error_code LastError() {
    return {errno, std::generic_category()};
  }

  static std::string RandomId() {
    constexpr char kDigits[] = "0123456789abcdef";
    std::random_device random;
    std::string id;
    for (int i = 0; i < 32; ++i) id += kDigits[random() % 16];
    return id;
  }

  const std::string id_ = RandomId();
  std::filesystem::path folder_;
  std::filesystem::path temporary_;
  int fd_ = -1;
};

}  // namespace workshop::files
