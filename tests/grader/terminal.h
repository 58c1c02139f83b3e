// The terminal that somebody sits at.

#pragma once

#include <termios.h>

#include <mutex>
#include <optional>
#include <string>

namespace workshop::grader {

// Set for a grader whose status lines another program shows.
inline constexpr char kStatusLines[] = "WORKSHOP_STATUS_LINES";
// What such a line begins with, on stderr.
inline constexpr char kStatusMark[] = "status: ";

// One line on a terminal that says what is being done, and is replaced by the
// next one; nothing elsewhere.
class StatusLine {
 public:
  StatusLine();
  ~StatusLine() { Clear(); }

  void Show(const std::string& text);
  void Clear();

 private:
  enum class Kind { kNone, kReplaced, kLines };

  const Kind kind_;
  std::mutex mutex_;  // output comes from more than one thread
};

// Lets single keys be read from stdin, unseen, for its own lifetime.
class Keyboard {
 public:
  // Does nothing unless stdin and stdout are a terminal that is ours to use.
  Keyboard();
  ~Keyboard() { Restore(); }
  Keyboard(const Keyboard&) = delete;
  Keyboard& operator=(const Keyboard&) = delete;

  // Whether there are keys to be read.
  bool active() const { return before_.has_value(); }

  // Leaves the terminal as it was, and takes it again: around a Ctrl-Z.
  void Restore() const;
  void Take() const;

 private:
  std::optional<termios> before_;
};

}  // namespace workshop::grader
