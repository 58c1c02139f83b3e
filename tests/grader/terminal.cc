#include "tests/grader/terminal.h"

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

#include "tests/grader/text.h"

namespace workshop::grader {
namespace {

// A program in the background may not change its terminal: it would be stopped
// for trying, unless it does not mind.
void Set(const termios& mode) {
  sigset_t output, before;
  sigemptyset(&output);
  sigaddset(&output, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &output, &before);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &mode);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

StatusLine::StatusLine()
    : kind_(std::getenv(kStatusLines) != nullptr ? Kind::kLines
            : isatty(STDERR_FILENO) != 0         ? Kind::kReplaced
                                                 : Kind::kNone) {}

void StatusLine::Show(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (kind_ == Kind::kReplaced) {
    std::cerr << "\r\033[K" << text.substr(0, kColumns - 1) << std::flush;
  } else if (kind_ == Kind::kLines) {
    std::cerr << kStatusMark + text + "\n" << std::flush;
  }
}

void StatusLine::Clear() {
  if (kind_ == Kind::kReplaced) Show("");
}

Keyboard::Keyboard() {
  termios mode;
  if (isatty(STDOUT_FILENO) == 0 || tcgetattr(STDIN_FILENO, &mode) != 0 ||
      tcgetpgrp(STDIN_FILENO) != getpgrp()) {
    return;
  }
  before_ = mode;
  Take();
}

void Keyboard::Restore() const {
  if (before_) Set(*before_);
}

void Keyboard::Take() const {
  if (!before_) return;
  termios mode = *before_;
  mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  Set(mode);
}

}  // namespace workshop::grader
