// What every program of the workshop does alike from lesson 02 on: read its
// flags, serve until it is told to stop, and name a status. Lesson 01 writes
// the same out and explains it.

#pragma once

#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace workshop {

// Exit statuses of a program.
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kBadUsage = 2;

// How long the calls that run when a server is stopped may still take.
inline constexpr std::chrono::seconds kGrace{2};

// Parses the flags that `app` declares. Returns the exit status if the program
// should end now: kDone after --help, kBadUsage after a mistake, which has been
// explained on stderr.
inline std::optional<int> ParseFlags(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
    return std::nullopt;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kBadUsage;
  }
}

// Declares a flag that takes a time in seconds, from a millisecond to a day.
inline CLI::Option* AddSeconds(CLI::App& app, const std::string& name,
                               std::chrono::milliseconds& time,
                               const std::string& what) {
  const auto set = [name, &time](double seconds) {
    if (!(seconds >= 0.001 && seconds <= 86'400)) {  // so that NaN fails too
      throw CLI::ValidationError(name, "must be 0.001 to 86400 seconds");
    }
    time = std::chrono::milliseconds(std::llround(seconds * 1000));
  };
  return app.add_option_function<double>(name, set, what);
}

// Makes SIGINT and SIGTERM wait for ServeUntilStopped(), in this thread and in
// those that it starts from now on. gRPC starts threads as soon as it is used:
// a program that makes credentials, a channel or a thread before it serves
// calls this first.
inline sigset_t BlockStopSignals() {
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);
  return stop_signals;
}

// Listens on `address` ("HOST:PORT", port 0 for any free one, or "unix:PATH")
// with the services and settings that `builder` has been given, says so on
// stdout, serves until SIGINT or SIGTERM, and gives the running calls kGrace to
// end. Returns the program's exit status. Without `credentials` it serves
// without encryption.
inline int ServeUntilStopped(
    grpc::ServerBuilder& builder, std::string address,
    std::shared_ptr<grpc::ServerCredentials> credentials = nullptr) {
  const sigset_t stop_signals = BlockStopSignals();
  if (credentials == nullptr) credentials = grpc::InsecureServerCredentials();

  int port = 0;
  builder.AddListeningPort(address, credentials, &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << "cannot listen on " << address << "\n";
    return kFailed;
  }
  if (address.rfind("unix:", 0) != 0) {
    const std::string host = address.substr(0, address.rfind(':'));
    address = host + ":" + std::to_string(port);
  }
  std::cout << "listening on " << address << std::endl;

  int signal = 0;
  sigwait(&stop_signals, &signal);
  server->Shutdown(std::chrono::system_clock::now() + kGrace);
  return kDone;
}

// The name of a status code as the documentation of gRPC writes it:
// "NOT_FOUND".
inline std::string CodeName(grpc::StatusCode code) {
  static constexpr std::array<const char*, 17> kNames = {
      "OK",
      "CANCELLED",
      "UNKNOWN",
      "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED",
      "NOT_FOUND",
      "ALREADY_EXISTS",
      "PERMISSION_DENIED",
      "RESOURCE_EXHAUSTED",
      "FAILED_PRECONDITION",
      "ABORTED",
      "OUT_OF_RANGE",
      "UNIMPLEMENTED",
      "INTERNAL",
      "UNAVAILABLE",
      "DATA_LOSS",
      "UNAUTHENTICATED",
  };
  const auto index = static_cast<std::size_t>(code);
  return index < kNames.size() ? kNames[index] : std::to_string(code);
}

}  // namespace workshop
