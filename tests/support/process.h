// Starts programs, watches what they print, and leaves none of them behind.

#pragma once

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace workshop::testing {

// How a process ended: by itself with a status, or by a signal.
struct Exit {
  int status = 0;  // meaningless if a signal ended it
  int signal = 0;  // 0: it ended by itself

  bool operator==(const Exit&) const = default;
};

// "exited with status 1", "was killed by SIGSEGV (segmentation fault)".
std::string Describe(const Exit& exit);

// Output that is kept up to a limit: the beginning, and the end that moves.
class CappedText {
 public:
  // Bytes kept of the beginning and of the end each.
  static constexpr std::size_t kHalf = 64 << 10;

  void Append(const char* data, std::size_t size);

  // What was kept, with a line in the middle that says how much is missing.
  std::string Text() const;

 private:
  std::string head_;
  std::string tail_;
  std::size_t dropped_ = 0;
};

// A child process in a process group of its own, with its output captured.
// The whole group is killed when the object goes away; see also
// KillDescendants() for those who left the group.
class Process {
 public:
  struct Options {
    // Variables added to the environment, or replaced in it. Proxy settings
    // are always removed: gRPC would use them for 127.0.0.1 too.
    std::map<std::string, std::string> environment;
    // What the program reads on stdin.
    std::string input;
    // Whether stdin stays open behind that, for Write(), until CloseStdin().
    bool keep_stdin_open = false;
    // Where it runs; empty: here.
    std::string directory;
    // How much memory it may have, in bytes; 0: no limit.
    std::size_t memory_limit = 0;
    // Called from another thread with each complete line, as it is printed.
    std::function<void(const std::string& line, bool is_stderr)> on_line;
    // File descriptors that the program inherits under the same numbers.
    // All others but 0, 1 and 2 are closed.
    std::vector<int> inherit;
  };

  // Starts `command`: a program's path, or a name to look up in PATH, and its
  // arguments. A program that cannot be started ends with status 127 and says
  // why on stderr, as in a shell.
  explicit Process(std::vector<std::string> command, Options options);
  explicit Process(std::vector<std::string> command)
      : Process(std::move(command), Options()) {}
  ~Process();

  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Waits until the program has ended, for at most `limit`. This, Kill() and
  // the destructor wait for a running on_line() too: hold no lock it takes.
  std::optional<Exit> WaitForExit(std::chrono::milliseconds limit);

  // Waits for a line of stdout that begins with `prefix` and returns what
  // stands behind it. Nothing if the program ended, closed its stdout, or took
  // longer than `limit`. Only the first 10,000 lines are looked at.
  std::optional<std::string> WaitForLine(const std::string& prefix,
                                         std::chrono::milliseconds limit);

  // Waits until `count` lines of stderr contain `text`. False if the program
  // ended, closed its stderr, or took longer than `limit`. Only the first
  // 10,000 lines are looked at.
  bool WaitForLog(const std::string& text, std::chrono::milliseconds limit,
                  int count = 1);

  // Gives the program `text` to read on stdin. Does not wait until it does.
  void Write(const std::string& text);

  // Ends stdin once the program has read what it has been given.
  void CloseStdin();

  // Sends a signal to the program alone.
  void Signal(int signal);

  // Kills the program and its whole group and collects what it printed.
  void Kill();

  // What has been printed so far; complete once WaitForExit() has returned.
  std::string Stdout() const;
  std::string Stderr() const;

  pid_t pid() const { return pid_; }
  const std::vector<std::string>& command() const { return command_; }

 private:
  struct Stream {
    CappedText text;
    std::string line;                // the last one, not complete yet
    std::vector<std::string> lines;  // the first complete ones
    bool closed = false;
  };

  void ReadOutput(int out, int err, int in);
  void Take(Stream& stream, const char* data, std::size_t size);
  void WakeReader();

  const std::vector<std::string> command_;
  const Options options_;
  pid_t pid_ = -1;
  int wake_reader_ = -1;  // an eventfd

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Stream out_, err_;           // guarded by mutex_
  std::string input_;          // guarded by mutex_: what is still to be read
  bool input_ended_ = false;   // guarded by mutex_
  bool stop_reading_ = false;  // guarded by mutex_
  std::optional<Exit> exit_;   // guarded by mutex_
  std::thread reader_;
};

// The most memory that the process `pid` has had at a time, in bytes; 0 if it
// has ended.
std::size_t PeakMemory(pid_t pid);

// Makes orphaned descendants of this process its children, so that
// KillDescendants() finds those who left their process group.
void AdoptOrphans();

// Kills every child of this process, and every child that it inherits by
// that, until none is left but those in `spare`. Their exit statuses are lost.
void KillDescendants(const std::set<pid_t>& spare = {});

// A folder of its own for the lifetime of the object, below $TMPDIR or /tmp.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace workshop::testing
