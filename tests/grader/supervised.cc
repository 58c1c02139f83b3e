#include "tests/grader/supervised.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "tests/grader/course.h"
#include "tests/support/process.h"

namespace workshop::grader {
namespace {

namespace fs = std::filesystem;

// How long what has been told to end may take to clean up.
constexpr std::chrono::seconds kCleanUpLimit{3};

// Tells what `worker` has started to end, and waits until it has. A compiler
// that is killed instead would leave half an object file behind.
void EndChildrenOf(pid_t worker) {
  kill(worker, SIGSTOP);  // it is not to go on as if they had ended themselves
  std::vector<int> ends;
  std::error_code gone;
  for (const auto& task : fs::directory_iterator(
           "/proc/" + std::to_string(worker) + "/task", gone)) {
    std::ifstream children(task.path() / "children");
    for (pid_t child = 0; children >> child;) {
      const int end = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
      if (end < 0) continue;
      ends.push_back(end);
      kill(child, SIGTERM);
    }
  }
  const auto deadline = std::chrono::steady_clock::now() + kCleanUpLimit;
  for (const int end : ends) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    pollfd polled = {end, POLLIN, 0};
    poll(&polled, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    close(end);
  }
}

// Returns what `work` does; what it throws is told on stderr.
int Guarded(const std::function<int()>& work) {
  try {
    return work();
  } catch (const CannotGrade& reason) {
    std::cerr << reason.what() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "The grader could not go on: " << error.what() << "\n";
  }
  return kCouldNotGrade;
}

int Supervise(bool keys, const std::function<int(const Keyboard*)>& work) {
  sigset_t awaited;
  sigemptyset(&awaited);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGCHLD}) {
    sigaddset(&awaited, signal);
  }
  if (keys) sigaddset(&awaited, SIGTSTP);
  sigprocmask(SIG_BLOCK, &awaited, nullptr);
  testing::AdoptOrphans();
  const testing::TempDir temporary;
  setenv("TMPDIR", temporary.path().c_str(), /*overwrite=*/1);
  std::optional<Keyboard> keyboard;
  if (keys) keyboard.emplace();

  const pid_t worker = fork();
  if (worker < 0) throw CannotGrade("There is no room for another process.");
  if (worker == 0) {
    // A terminal's signals come to both of us, and are for the other one.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    testing::AdoptOrphans();
#ifndef WORKSHOP_SANITIZED
    // See tests/support/suite.cc: learners' programs run under the same user.
    prctl(PR_SET_DUMPABLE, 0);
#endif
    std::exit(Guarded([&] { return work(keyboard ? &*keyboard : nullptr); }));
  }
  int signal = 0;
  int status = 0;
  while (true) {
    sigwait(&awaited, &signal);
    if (signal == SIGTSTP) {
      keyboard->Restore();
      kill(worker, SIGSTOP);
      raise(SIGSTOP);
      keyboard->Take();
      kill(worker, SIGCONT);
    } else if (signal != SIGCHLD || waitpid(worker, &status, WNOHANG) != 0) {
      break;
    }
  }
  if (signal != SIGCHLD) EndChildrenOf(worker);
  testing::KillDescendants();
  if (signal == SIGCHLD && WIFEXITED(status)) return WEXITSTATUS(status);
  if (signal == SIGCHLD) signal = WTERMSIG(status);
  std::cerr << "\nStopped by SIG" << sigabbrev_np(signal)
            << (keys ? ".\n" : " before the result was known.\n");
  return 128 + signal;
}

}  // namespace

int Supervised(bool keys, const std::function<int(const Keyboard*)>& work) {
  return Guarded([&] { return Supervise(keys, work); });
}

}  // namespace workshop::grader
