// A program at a terminal of its own, as if somebody sat there.

#pragma once

#include <sys/types.h>
#include <termios.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace workshop::testing {

class TerminalProcess {
 public:
  // Starts `command` on a new pseudo-terminal, with these variables added to
  // its environment. Throws std::system_error if there is none.
  TerminalProcess(const std::vector<std::string>& command,
                  const std::map<std::string, std::string>& environment);
  // Hangs up, and kills the program if it does not mind that.
  ~TerminalProcess();
  TerminalProcess(const TerminalProcess&) = delete;
  TerminalProcess& operator=(const TerminalProcess&) = delete;

  // Waits until `text` appears behind what was waited for last, and returns
  // everything from there to its end. Nothing if it does not come in time, or
  // the program has ended.
  std::optional<std::string> WaitFor(const std::string& text,
                                     std::chrono::milliseconds limit);

  // Waits until the program has ended.
  std::optional<Exit> WaitForExit(std::chrono::milliseconds limit);

  // Presses keys, which the terminal may make signals of.
  void Type(const std::string& keys);

  // The terminal's mode as it is now, and as the program has found it.
  termios Mode() const;
  const termios& mode_at_first() const { return mode_at_first_; }

  // Everything printed so far.
  const std::string& output() const { return output_; }
  pid_t pid() const { return pid_; }

 private:
  // Reads what has come, after at most so long; false at the end.
  bool Read(std::chrono::milliseconds wait);

  pid_t pid_ = -1;
  int terminal_ = -1;
  termios mode_at_first_ = {};
  std::string output_;
  std::size_t seen_ = 0;  // how much of it WaitFor() is through with
  std::optional<Exit> exit_;
};

}  // namespace workshop::testing
