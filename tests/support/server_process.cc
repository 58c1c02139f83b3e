#include "tests/support/server_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grpcpp/create_channel_posix.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace workshop::testing {
namespace {

using std::chrono::milliseconds;

constexpr std::string_view kReady = "listening on ";

std::vector<std::string> WithAddress(std::vector<std::string> command,
                                     const std::string& address) {
  command.insert(command.end(), {"--address", address});
  return command;
}

// Whether a server that was asked for `asked` may say that it is at `actual`:
// the same, but for a port 0 that has become a real one.
bool IsWhatWasAsked(std::string_view asked, std::string_view actual) {
  if (!asked.ends_with(":0")) return asked == actual;
  asked.remove_suffix(1);
  return actual.starts_with(asked) && actual.size() > asked.size() &&
         actual.substr(asked.size()) != "0" &&
         actual.find_first_not_of("0123456789", asked.size()) ==
             std::string_view::npos;
}

}  // namespace

std::shared_ptr<grpc::Channel> NewChannel(const std::string& address,
                                          grpc::ChannelArguments arguments) {
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // To connect may take as long as the call that needs it: it has a deadline,
  // and a debugger may hold the server for longer than the usual 20 s.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
                   std::numeric_limits<int>::max());
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   arguments);
}

Wire::Wire(const std::string& address)
    : socket_(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un server = {};
  server.sun_family = AF_UNIX;
  const std::string path = address.substr(std::strlen("unix:"));
  path.copy(server.sun_path, sizeof(server.sun_path) - 1);
  if (connect(socket_, reinterpret_cast<sockaddr*>(&server), sizeof(server)) !=
      0) {
    throw std::system_error(errno, std::generic_category(), address);
  }
  fcntl(socket_, F_SETFL, O_NONBLOCK);
  // gRPC closes what it is given; the other one is for Cut().
  channel_ = grpc::CreateInsecureChannelFromFd(
      "wire", fcntl(socket_, F_DUPFD_CLOEXEC, 0));
}

Wire::~Wire() { close(socket_); }

void Wire::Cut() { shutdown(socket_, SHUT_RDWR); }

ServerProcess::ServerProcess(std::vector<std::string> command,
                             std::string address, Process::Options options)
    : asked_(std::move(address)),
      process_(WithAddress(std::move(command), asked_), std::move(options)) {}

bool ServerProcess::WaitUntilReady(milliseconds limit) {
  const std::optional<std::string> line =
      process_.WaitForLine(std::string(kReady), limit);
  if (line) {
    address_ = *line;
    if (IsWhatWasAsked(asked_, address_)) return true;
    problem_ = fmt::format(
        "it was told to listen on {}, and said that it "
        "listens on {}",
        asked_, address_);
    return false;
  }
  if (const std::optional<Exit> exit =
          process_.WaitForExit(milliseconds(500))) {
    problem_ = fmt::format("it {} before it printed \"{}ADDRESS\"",
                           Describe(*exit), kReady);
  } else {
    problem_ = fmt::format("it did not print \"{}ADDRESS\" within {:.3g} s",
                           kReady, static_cast<double>(limit.count()) / 1000);
  }
  return false;
}

}  // namespace workshop::testing
