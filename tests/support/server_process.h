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
std::shared_ptr<grpc::Channel> NewChannel(
    const std::string& address, grpc::ChannelArguments arguments = {});

// A connection that can be cut, which is all that a server sees of a client
// that is killed.
class Wire {
 public:
  // Connects to the Unix socket `address`: "unix:PATH". Throws where nobody
  // listens.
  explicit Wire(const std::string& address);
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

  // Breaks the connection: no half-close, no cancelled call, no goodbye.
  void Cut();

 private:
  int socket_;
  std::shared_ptr<grpc::Channel> channel_;
};

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
