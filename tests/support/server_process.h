// A server program that obeys the program contract, started and awaited.

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace workshop::testing {

// A channel to `address` that shares no connection with another channel and
// asks no proxy.
std::shared_ptr<grpc::Channel> NewChannel(const std::string& address);

class ServerProcess {
 public:
  // Starts `command` with `--address address` behind it.
  ServerProcess(std::vector<std::string> command, std::string address,
                Process::Options options = {});

  // Waits for the line "listening on ADDRESS", for at most `limit`. False if
  // the program ended, took longer, or named an address it was not asked for;
  // problem() then says which in a sentence.
  bool WaitUntilReady(std::chrono::milliseconds limit);

  // Where it listens, with its real port. Valid once it is ready.
  const std::string& address() const { return address_; }
  const std::string& problem() const { return problem_; }

  Process& process() { return process_; }

 private:
  const std::string asked_;
  Process process_;
  std::string address_;
  std::string problem_;
};

}  // namespace workshop::testing
