#include "tests/support/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

extern char** environ;

namespace workshop::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// gRPC sends even calls to 127.0.0.1 through a proxy named in these.
constexpr std::array<std::string_view, 6> kProxySettings = {
    "grpc_proxy",  "http_proxy", "https_proxy",
    "HTTPS_PROXY", "HTTP_PROXY", "all_proxy"};

// How many complete lines of a stream are kept to be waited for.
constexpr std::size_t kMaxLines = 10'000;

std::system_error LastError(const std::string& what) {
  return std::system_error(errno, std::generic_category(), what);
}

std::pair<int, int> Pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw LastError("pipe2");
  return {ends[0], ends[1]};
}

std::vector<std::string> Environment(
    const std::map<std::string, std::string>& changes) {
  std::map<std::string, std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    variables[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  for (const std::string_view name : kProxySettings) {
    variables.erase(std::string(name));
  }
  for (const auto& [name, value] : changes) variables[name] = value;
  std::vector<std::string> result;
  for (const auto& [name, value] : variables) {
    result.push_back(name + "=" + value);
  }
  return result;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& string : strings) {
    pointers.push_back(const_cast<char*>(string.c_str()));
  }
  pointers.push_back(nullptr);
  return pointers;
}

// What a child does between fork() and exec(): only what is safe there while
// other threads of the parent hold locks.
struct Child {
  char* const* command;
  char* const* environment;
  const char* directory;
  std::size_t memory_limit;
  const int* inherit;
  std::size_t inherit_size;
  pid_t parent;

  [[noreturn]] void Run(int in, int out, int err) const {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);  // it died before the line above
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    unsigned first = 3;
    for (std::size_t i = 0; i < inherit_size; ++i) {
      const unsigned fd = inherit[i];
      if (fd > first) syscall(SYS_close_range, first, fd - 1, 0);
      fcntl(inherit[i], F_SETFD, 0);
      first = fd + 1;
    }
    syscall(SYS_close_range, first, ~0u, 0);
    if (directory[0] != '\0' && chdir(directory) != 0) Fail(directory);
    if (memory_limit > 0) {
      const rlimit limit = {memory_limit, memory_limit};
      setrlimit(RLIMIT_DATA, &limit);
    }
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE, SIGHUP}) {
      ::signal(signal, SIG_DFL);
    }
    environ = const_cast<char**>(environment);
    execvp(command[0], command);
    Fail(command[0]);
  }

  [[noreturn]] static void Fail(const char* name) {
    const char* const why = strerrordesc_np(errno);
    for (const char* part : {name, ": ", why, "\n"}) {
      if (write(2, part, strlen(part)) < 0) break;
    }
    _exit(127);
  }
};

// Waits for the program's end without collecting its status, so that its pid
// (and the group's) cannot be given to another process yet.
bool HasEnded(pid_t pid) {
  siginfo_t info = {};
  return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
         info.si_pid == pid;
}

}  // namespace

std::string Describe(const Exit& exit) {
  if (exit.signal == 0) {
    return fmt::format("exited with status {}", exit.status);
  }
  const char* const name = sigabbrev_np(exit.signal);
  const char* const description = sigdescr_np(exit.signal);
  std::string what = description == nullptr ? "unknown" : description;
  what[0] = static_cast<char>(tolower(what[0]));
  return fmt::format("was killed by SIG{} ({})", name == nullptr ? "?" : name,
                     what);
}

void CappedText::Append(const char* data, std::size_t size) {
  const std::size_t to_head = std::min(size, kHalf - head_.size());
  head_.append(data, to_head);
  tail_.append(data + to_head, size - to_head);
  if (tail_.size() > 2 * kHalf) {
    dropped_ += tail_.size() - kHalf;
    tail_.erase(0, tail_.size() - kHalf);
  }
}

std::string CappedText::Text() const {
  if (dropped_ == 0) return head_ + tail_;
  return fmt::format("{}\n[... {} bytes left out ...]\n{}", head_, dropped_,
                     tail_);
}

Process::Process(std::vector<std::string> command, Options options)
    : command_(std::move(command)), options_(std::move(options)) {
  const auto [in_read, in_write] = Pipe();
  const auto [out_read, out_write] = Pipe();
  const auto [err_read, err_write] = Pipe();
  wake_reader_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_reader_ < 0) throw LastError("eventfd");
  input_ = options_.input;
  input_ended_ = !options_.keep_stdin_open;

  const std::vector<std::string> environment =
      Environment(options_.environment);
  const std::vector<char*> environment_pointers = Pointers(environment);
  const std::vector<char*> command_pointers = Pointers(command_);
  std::vector<int> inherit = options_.inherit;
  std::sort(inherit.begin(), inherit.end());
  const Child child = {command_pointers.data(),
                       environment_pointers.data(),
                       options_.directory.c_str(),
                       options_.memory_limit,
                       inherit.data(),
                       inherit.size(),
                       getpid()};
  pid_ = fork();
  if (pid_ == 0) child.Run(in_read, out_write, err_write);
  for (const int end : {in_read, out_write, err_write}) close(end);
  if (pid_ < 0) throw LastError("fork");
  setpgid(pid_, pid_);  // whoever comes first: it must be done when we return
  reader_ = std::thread([this, out = out_read, err = err_read, in = in_write] {
    ReadOutput(out, err, in);
  });
}

Process::~Process() { Kill(); }

void Process::ReadOutput(int out, int err, int in) {
  // A program that closes its stdin early must not end this one.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);

  fcntl(in, F_SETFL, O_NONBLOCK);
  std::array<char, 64 << 10> buffer;
  int reads_after_stop = 0;  // what the pipes hold, and no more
  while (true) {
    bool stop = false;
    bool has_input = false;
    {
      const std::lock_guard lock(mutex_);
      stop = stop_reading_;
      has_input = !input_.empty();
      if (in >= 0 && !has_input && input_ended_) {
        close(in);
        in = -1;
      }
    }
    pollfd polled[] = {{out, POLLIN, 0},
                       {err, POLLIN, 0},
                       {wake_reader_, POLLIN, 0},
                       {has_input ? in : -1, POLLOUT, 0}};
    // After a stop, only what is there already.
    if (poll(polled, 4, stop ? 0 : -1) < 0 && errno != EINTR) break;
    std::uint64_t wakes = 0;
    while (read(wake_reader_, &wakes, sizeof(wakes)) > 0) {
    }
    if (polled[3].revents != 0) {
      const std::lock_guard lock(mutex_);
      const ssize_t size = write(in, input_.data(), input_.size());
      if (size > 0) input_.erase(0, static_cast<std::size_t>(size));
      if (size < 0 && errno != EAGAIN) {  // nobody will read it
        close(in);
        in = -1;
      }
    }
    bool took = false;
    for (int i = 0; i < 2; ++i) {
      if (polled[i].revents == 0) continue;
      int& fd = i == 0 ? out : err;
      Stream& stream = i == 0 ? out_ : err_;
      const ssize_t size = read(fd, buffer.data(), buffer.size());
      if (size > 0) {
        took = true;
        Take(stream, buffer.data(), static_cast<std::size_t>(size));
      } else if (size == 0 || errno != EINTR) {
        close(fd);
        fd = -1;
        const std::lock_guard lock(mutex_);
        stream.closed = true;
        changed_.notify_all();
      }
    }
    if (out < 0 && err < 0) break;
    if (stop && (!took || ++reads_after_stop > 4)) break;
  }
  for (const int fd : {out, err, in}) {
    if (fd >= 0) close(fd);
  }
}

void Process::Take(Stream& stream, const char* data, std::size_t size) {
  std::vector<std::string> lines;
  {
    const std::lock_guard lock(mutex_);
    stream.text.Append(data, size);
    std::string_view rest(data, size);
    while (!rest.empty()) {
      const std::size_t end = rest.find('\n');
      if (stream.line.size() < CappedText::kHalf) {
        stream.line += rest.substr(0, end);
      }
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
      if (options_.on_line) lines.push_back(stream.line);
      if (stream.lines.size() < kMaxLines) {
        stream.lines.push_back(std::move(stream.line));
      }
      stream.line.clear();
    }
    changed_.notify_all();
  }
  for (const std::string& line : lines) {
    options_.on_line(line, &stream == &err_);
  }
}

std::optional<Exit> Process::WaitForExit(milliseconds limit) {
  const auto deadline = steady_clock::now() + limit;
  {
    const std::lock_guard lock(mutex_);
    if (exit_) return exit_;
  }
  // A pidfd becomes readable when the process ends, so that nothing polls.
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd < 0) throw LastError("pidfd_open");
  while (!HasEnded(pid_)) {
    const auto left =
        std::chrono::ceil<milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) break;
    pollfd polled = {pidfd, POLLIN, 0};
    poll(&polled, 1, static_cast<int>(left.count()));
  }
  close(pidfd);
  if (!HasEnded(pid_)) return std::nullopt;
  Kill();
  const std::lock_guard lock(mutex_);
  return exit_;
}

std::optional<std::string> Process::WaitForLine(const std::string& prefix,
                                                milliseconds limit) {
  const auto find = [&]() -> const std::string* {
    for (const std::string& line : out_.lines) {
      if (line.starts_with(prefix)) return &line;
    }
    return nullptr;
  };
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit,
                    [&] { return out_.closed || find() != nullptr; });
  const std::string* const line = find();
  if (line == nullptr) return std::nullopt;
  return line->substr(prefix.size());
}

bool Process::WaitForLog(const std::string& text, milliseconds limit,
                         int count) {
  const auto found = [&] {
    return std::count_if(err_.lines.begin(), err_.lines.end(),
                         [&](const std::string& line) {
                           return line.find(text) != std::string::npos;
                         }) >= count;
  };
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, limit, [&] { return err_.closed || found(); });
  return found();
}

void Process::Write(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (stop_reading_) return;
  input_ += text;
  WakeReader();
}

void Process::CloseStdin() {
  const std::lock_guard lock(mutex_);
  if (stop_reading_) return;
  input_ended_ = true;
  WakeReader();
}

void Process::WakeReader() {
  const std::uint64_t one = 1;
  if (write(wake_reader_, &one, sizeof(one)) < 0) abort();
}

void Process::Signal(int signal) {
  const std::lock_guard lock(mutex_);
  if (!exit_) kill(pid_, signal);
}

void Process::Kill() {
  if (!reader_.joinable()) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);  // it may have made a group of its own
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  // A process that left the group may hold the pipes open for ever.
  {
    const std::lock_guard lock(mutex_);
    stop_reading_ = true;
    WakeReader();
  }
  reader_.join();
  close(wake_reader_);
  const std::lock_guard lock(mutex_);
  exit_ = WIFSIGNALED(status) ? Exit{0, WTERMSIG(status)}
                              : Exit{WEXITSTATUS(status), 0};
}

std::string Process::Stdout() const {
  const std::lock_guard lock(mutex_);
  return out_.text.Text();
}

std::string Process::Stderr() const {
  const std::lock_guard lock(mutex_);
  return err_.text.Text();
}

std::size_t PeakMemory(pid_t pid) {
  std::ifstream status(fmt::format("/proc/{}/status", pid));
  const std::string key = "VmHWM:";
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(key)) return std::stoul(line.substr(key.size())) << 10;
  }
  return 0;
}

void AdoptOrphans() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

void KillDescendants(const std::set<pid_t>& spare) {
  while (true) {
    bool killed = false;
    for (const auto& task :
         std::filesystem::directory_iterator("/proc/self/task")) {
      std::ifstream children(task.path() / "children");
      for (pid_t child = 0; children >> child;) {
        if (spare.contains(child)) continue;
        kill(child, SIGKILL);
        while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
        }
        killed = true;
      }
    }
    if (!killed) return;
  }
}

TempDir::TempDir() {
  path_ = (std::filesystem::temp_directory_path() / "workshop-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) throw LastError(path_);
}

TempDir::~TempDir() {
  std::error_code ignored;  // it is on its way out; there is nobody to tell
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace workshop::testing
