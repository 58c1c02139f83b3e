#include "tests/support/terminal_process.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace workshop::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kHangUpLimit{10'000};

milliseconds Left(steady_clock::time_point deadline) {
  return std::max(
      std::chrono::ceil<milliseconds>(deadline - steady_clock::now()),
      milliseconds(0));
}

}  // namespace

TerminalProcess::TerminalProcess(
    const std::vector<std::string>& command,
    const std::map<std::string, std::string>& environment) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  const winsize size = {24, 80, 0, 0};
  int program_side = -1;
  if (openpty(&terminal_, &program_side, nullptr, nullptr, &size) != 0) {
    throw std::system_error(errno, std::generic_category(), "openpty");
  }
  tcgetattr(terminal_, &mode_at_first_);
  pid_ = fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    // No other thread runs in a test at this point, so that all of this is
    // safe.
    close(terminal_);
    login_tty(program_side);
    for (const auto& [name, value] : environment) {
      setenv(name.c_str(), value.c_str(), /*overwrite=*/1);
    }
    setenv("TERM", "xterm", /*overwrite=*/1);
    execvp(arguments[0], arguments.data());
    _exit(127);
  }
  close(program_side);
}

TerminalProcess::~TerminalProcess() {
  if (!exit_) {
    kill(-pid_, SIGHUP);
    if (!WaitForExit(kHangUpLimit)) {
      kill(-pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
  }
  close(terminal_);
}

bool TerminalProcess::Read(milliseconds wait) {
  pollfd polled = {terminal_, POLLIN, 0};
  if (poll(&polled, 1, static_cast<int>(wait.count())) <= 0) return true;
  std::array<char, 4096> buffer;
  const ssize_t size = read(terminal_, buffer.data(), buffer.size());
  if (size <= 0) return size < 0 && errno == EINTR;  // EIO: nobody is there
  output_.append(buffer.data(), static_cast<std::size_t>(size));
  return true;
}

std::optional<std::string> TerminalProcess::WaitFor(const std::string& text,
                                                    milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  bool open = true;
  while (true) {
    const std::size_t found = output_.find(text, seen_);
    if (found != std::string::npos) {
      const std::size_t begin = seen_;
      seen_ = found + text.size();
      return output_.substr(begin, seen_ - begin);
    }
    if (!open || Left(deadline).count() == 0) return std::nullopt;
    open = Read(Left(deadline));
  }
}

std::optional<Exit> TerminalProcess::WaitForExit(milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  // What it prints must be read, or it could not go on. The last to close the
  // terminal is the program or one that it has left behind.
  bool open = true;
  while (!exit_) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      exit_ = WIFSIGNALED(status) ? Exit{0, WTERMSIG(status)}
                                  : Exit{WEXITSTATUS(status), 0};
    } else if (Left(deadline).count() == 0) {
      return std::nullopt;
    } else if (open) {
      open = Read(std::min(Left(deadline), milliseconds(20)));
    } else {
      poll(nullptr, 0, 1);  // it has closed the terminal and is about to end
    }
  }
  return exit_;
}

void TerminalProcess::Type(const std::string& keys) {
  if (write(terminal_, keys.data(), keys.size()) !=
      static_cast<ssize_t>(keys.size())) {
    throw std::system_error(errno, std::generic_category(), "typing");
  }
}

termios TerminalProcess::Mode() const {
  termios mode = {};
  tcgetattr(terminal_, &mode);
  return mode;
}

}  // namespace workshop::testing
