// The program behind `make run`: a lesson's server and its client, run side by
// side.

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/server_process.h"

namespace workshop::testing {
namespace {

using std::literals::operator""min;
using std::literals::operator""s;

// Exit statuses: the client's own, but for these.
constexpr int kServerFailed = 1;
constexpr int kBadUsage = 2;
constexpr int kKilled = 128;  // plus the signal, as a shell has it

// Prints the lines of several programs, each behind its program's name.
class Console {
 public:
  // `colour` is an SGR parameter: "32" is green.
  Process::Options For(std::string_view name, std::string_view colour) {
    const auto prefix = [&](int stream) {
      const char* const no_colour = getenv("NO_COLOR");
      const bool plain =
          isatty(stream) == 0 || (no_colour != nullptr && *no_colour != '\0');
      return plain ? fmt::format("{:6} | ", name)
                   : fmt::format("\033[{}m{:6} |\033[0m ", colour, name);
    };
    Process::Options options;
    options.on_line = [this, out = prefix(STDOUT_FILENO),
                       err = prefix(STDERR_FILENO)](const std::string& line,
                                                    bool is_stderr) {
      const std::lock_guard lock(mutex_);
      (is_stderr ? std::cerr << err : std::cout << out) << line << std::endl;
    };
    return options;
  }

 private:
  std::mutex mutex_;
};

// Prints what a program that has ended left without a newline at its end.
void PrintRest(const Process::Options& options, const Process& process) {
  for (const bool is_stderr : {false, true}) {
    const std::string text = is_stderr ? process.Stderr() : process.Stdout();
    const std::string rest = text.substr(text.rfind('\n') + 1);
    if (!rest.empty()) options.on_line(rest, is_stderr);
  }
}

// Passes a Ctrl-C on to the programs. They are in process groups of their own,
// where the terminal's does not reach them. Needed before any other thread is
// started, since they all inherit the blocked signals.
class Interrupter {
 public:
  Interrupter() {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
      sigaddset(&signals_, signal);
    }
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    std::thread([this] {
      int signal = 0;
      sigwait(&signals_, &signal);
      const std::lock_guard lock(mutex_);
      signal_ = signal;
      if (process_ != nullptr) process_->Signal(SIGTERM);
    }).detach();
  }

  // The program to be stopped from now on: the one that is being waited for.
  void Watch(Process* process) {
    const std::lock_guard lock(mutex_);
    process_ = process;
    if (signal_ && process_ != nullptr) process_->Signal(SIGTERM);
  }

  std::optional<int> signal() {
    const std::lock_guard lock(mutex_);
    return signal_;
  }

 private:
  sigset_t signals_;
  std::mutex mutex_;
  Process* process_ = nullptr;  // guarded by mutex_
  std::optional<int> signal_;   // guarded by mutex_
};

int ExitStatus(const Exit& exit) {
  return exit.signal == 0 ? exit.status : kKilled + exit.signal;
}

// Runs the client against the server that listens on `address`.
int RunClient(Interrupter& interrupter, const Process::Options& options,
              std::vector<std::string> command) {
  Process client(std::move(command), options);
  interrupter.Watch(&client);
  const std::optional<Exit> exit = client.WaitForExit(10min);
  interrupter.Watch(nullptr);
  if (!exit) client.Kill();
  PrintRest(options, client);
  if (!exit) {
    std::cerr << "the client did not end within 10 minutes\n";
    return kKilled + SIGKILL;
  }
  if (exit->signal != 0 && !interrupter.signal()) {
    std::cerr << "the client " << Describe(*exit) << "\n";
  }
  return ExitStatus(*exit);
}

int Main(int argc, char** argv) {
  std::string directory;
  std::vector<std::string> arguments;
  CLI::App app("Runs a server, then a client against it, and stops both.");
  app.add_option("directory", directory, "where `server` and `client` are")
      ->required();
  app.add_option("arguments", arguments, "the client's own, behind a --");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kBadUsage;
  }

  // Never static: the thread in it may outlive main().
  Interrupter& interrupter = *new Interrupter();
  Console console;
  const Process::Options server_options = console.For("server", "34");
  const Process::Options client_options = console.For("client", "32");
  ServerProcess server({directory + "/server"}, "127.0.0.1:0", server_options);
  interrupter.Watch(&server.process());
  const bool ready = server.WaitUntilReady(10s);
  interrupter.Watch(nullptr);
  int status = kServerFailed;
  if (ready && !interrupter.signal()) {
    std::vector<std::string> command = {directory + "/client", "--address",
                                        server.address()};
    command.insert(command.end(), arguments.begin(), arguments.end());
    status = RunClient(interrupter, client_options, std::move(command));
  }

  server.process().Signal(SIGTERM);
  const std::optional<Exit> exit = server.process().WaitForExit(10s);
  if (!exit) server.process().Kill();
  PrintRest(server_options, server.process());
  if (const std::optional<int> signal = interrupter.signal()) {
    return kKilled + *signal;
  }
  if (!ready) {
    std::cerr << "the server is not ready: " << server.problem() << "\n";
    return kServerFailed;
  }
  if (exit == Exit{0, 0}) return status;
  std::cerr << "the server "
            << (exit ? Describe(*exit) : "did not stop within 10 s of SIGTERM")
            << "\n";
  return status == 0 ? kServerFailed : status;
}

}  // namespace
}  // namespace workshop::testing

int main(int argc, char** argv) {
  try {
    return workshop::testing::Main(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "cannot run the programs: " << error.what() << "\n";
    return workshop::testing::kServerFailed;
  }
}
