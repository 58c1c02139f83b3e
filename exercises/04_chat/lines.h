// The lines that somebody types.

#pragma once

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>

// Reads stdin line by line. Unlike std::getline() it can be told to stop while
// it waits, since a conversation may be over before everything is typed.
class Lines {
 public:
  Lines() : stop_(eventfd(0, EFD_CLOEXEC)) {
    if (stop_ < 0) std::abort();
  }
  ~Lines() { close(stop_); }
  Lines(const Lines&) = delete;
  Lines& operator=(const Lines&) = delete;

  // Waits for the next line; nothing at the end of the input, and after Stop().
  std::optional<std::string> Next() {
    while (true) {
      const std::size_t end = text_.find('\n');
      if (end != std::string::npos) return Cut(end, end + 1);
      pollfd polled[] = {{STDIN_FILENO, POLLIN, 0}, {stop_, POLLIN, 0}};
      if (poll(polled, 2, -1) < 0 && errno != EINTR) return std::nullopt;
      if (polled[1].revents != 0) return std::nullopt;
      if (polled[0].revents == 0) continue;
      char buffer[4096];
      const ssize_t size = read(STDIN_FILENO, buffer, sizeof(buffer));
      if (size > 0) {
        text_.append(buffer, static_cast<std::size_t>(size));
      } else if (size == 0 || errno != EINTR) {
        if (text_.empty()) return std::nullopt;
        return Cut(text_.size(), text_.size());  // a line that does not end
      }
    }
  }

  // Ends Next(), now and for ever. Any thread may call this.
  void Stop() {
    const std::uint64_t one = 1;
    if (write(stop_, &one, sizeof(one)) < 0) std::abort();
  }

 private:
  // Takes the text before `end` and forgets all before `rest`.
  std::string Cut(std::size_t end, std::size_t rest) {
    std::string line = text_.substr(0, end);
    text_.erase(0, rest);
    return line;
  }

  const int stop_;
  std::string text_;  // read, and not returned yet
};
