// What lessons/01_unary/README.md says, with the real server and client.

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/fake_server.h"
#include "tests/support/process.h"
#include "tests/support/server_process.h"
#include "workshop/greeter/v1/greeter.grpc.pb.h"

namespace workshop::testing {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using greeter::v1::Greeter;
using greeter::v1::SayHelloRequest;
using greeter::v1::SayHelloResponse;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using std::literals::operator""ms;
using std::literals::operator""s;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr milliseconds kLimit = 30s;  // for what should take no time at all
constexpr milliseconds kGrace = 2s;   // the server's
constexpr char kForever[] = "3600";

constexpr char kServer[] = WORKSHOP_BUILD_DIR "/lessons/01_unary/server";
constexpr char kClient[] = WORKSHOP_BUILD_DIR "/lessons/01_unary/client";

using Arguments = std::vector<std::string>;

std::vector<std::string> Command(const char* program, Arguments arguments) {
  arguments.insert(arguments.begin(), program);
  return arguments;
}

// The server, started and ready.
class Server {
 public:
  explicit Server(Arguments arguments, std::string address = "127.0.0.1:0")
      : server_(Command(kServer, std::move(arguments)), std::move(address)) {
    EXPECT_TRUE(server_.WaitUntilReady(kLimit)) << server_.problem();
  }

  const std::string& address() const { return server_.address(); }
  Process& process() { return server_.process(); }

  bool WaitForLog(const std::string& text, int count = 1) {
    return process().WaitForLog(text, kLimit, count);
  }

  // Sends a signal and waits for the end, which takes `*elapsed`.
  std::optional<Exit> Stop(int signal, milliseconds* elapsed = nullptr) {
    const auto start = steady_clock::now();
    process().Signal(signal);
    const std::optional<Exit> exit = process().WaitForExit(kLimit);
    if (elapsed != nullptr) {
      *elapsed =
          std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
    }
    return exit;
  }

 private:
  ServerProcess server_;
};

// The client, calling `address`.
std::unique_ptr<Process> StartClient(const std::string& address,
                                     Arguments arguments = {}) {
  arguments.insert(arguments.end(), {"--address", address});
  return std::make_unique<Process>(Command(kClient, std::move(arguments)));
}

// A TCP port of 127.0.0.1 that belongs to nobody else.
class Port {
 public:
  enum State { kRefuses, kAcceptsAndIsSilent };

  explicit Port(State state) : socket_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(socket_, generic, size), 0);
    EXPECT_EQ(getsockname(socket_, generic, &size), 0);
    // The kernel completes connections; nobody will ever read from them.
    if (state == kAcceptsAndIsSilent) {
      EXPECT_EQ(listen(socket_, 16), 0);
    }
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~Port() { close(socket_); }
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  const std::string& address() const { return address_; }

 private:
  const int socket_;
  std::string address_;
};

grpc::Status SayHello(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  SayHelloResponse response;
  return Greeter::NewStub(channel)->SayHello(&context, {}, &response);
}

TEST(UnaryTest, GreetsByName) {
  Server server({});
  const std::string name = "Zoë 世界 " + std::to_string(std::random_device()());
  const auto client = StartClient(server.address(), {name});
  EXPECT_EQ(client->WaitForExit(kLimit), (Exit{0, 0}));
  EXPECT_THAT(client->Stdout(), StartsWith("Hello, " + name + "!\n"));
  EXPECT_THAT(client->Stderr(), IsEmpty());
}

TEST(UnaryTest, GreetsTheWorldIfNotTold) {
  Server server({});
  const auto client = StartClient(server.address());
  EXPECT_EQ(client->WaitForExit(kLimit), (Exit{0, 0}));
  EXPECT_THAT(client->Stdout(), StartsWith("Hello, world!\n"));
}

TEST(UnaryTest, TellsTheTimeOfTheGreeting) {
  const auto now = [] {
    return TimeUtil::MillisecondsToTimestamp(
        std::chrono::duration_cast<milliseconds>(
            system_clock::now().time_since_epoch())
            .count());
  };
  Server server({});
  const Timestamp before = now();
  const auto client = StartClient(server.address());
  const std::optional<std::string> line =
      client->WaitForLine("server time: ", kLimit);
  ASSERT_TRUE(line.has_value());
  Timestamp told;
  ASSERT_TRUE(TimeUtil::FromString(*line, &told)) << *line;
  EXPECT_GE(told, before - TimeUtil::SecondsToDuration(1));
  EXPECT_LE(told, now() + TimeUtil::SecondsToDuration(1));
}

TEST(UnaryTest, ServesAtAUnixSocket) {
  const TempDir dir;
  Server server({}, "unix:" + dir.path() + "/socket");
  const auto client = StartClient(server.address(), {"Ada"});
  EXPECT_EQ(client->WaitForExit(kLimit), (Exit{0, 0}));
  EXPECT_THAT(client->Stdout(), StartsWith("Hello, Ada!\n"));
}

TEST(UnaryTest, SaysThatThePortIsTaken) {
  Server server({});
  Process second({kServer, "--address", server.address()});
  EXPECT_EQ(second.WaitForExit(kLimit), (Exit{1, 0}));
  EXPECT_THAT(second.Stdout(), IsEmpty());
  EXPECT_THAT(second.Stderr(), HasSubstr("Address already in use"));
  EXPECT_THAT(second.Stderr(),
              HasSubstr("cannot listen on " + server.address()));
  EXPECT_TRUE(SayHello(NewChannel(server.address())).ok());
}

TEST(UnaryTest, SharesThePortOnlyIfBothServersWantTo) {
  Server first({"--reuse-port"});
  Server second({"--reuse-port"}, first.address());
  Process third({kServer, "--address", first.address()});
  EXPECT_EQ(third.WaitForExit(kLimit), (Exit{1, 0}));
}

TEST(UnaryTest, LosesItsUnixSocketToASecondServer) {
  const TempDir dir;
  const std::string address = "unix:" + dir.path() + "/socket";
  Server first({}, address);
  Server second({}, address);
  EXPECT_EQ(second.Stop(SIGTERM), (Exit{0, 0}));
  EXPECT_EQ(SayHello(NewChannel(address)).error_code(),
            grpc::StatusCode::UNAVAILABLE);
}

TEST(UnaryTest, StopsOnEachSignal) {
  for (const int signal : {SIGINT, SIGTERM}) {
    Server server({});
    EXPECT_TRUE(SayHello(NewChannel(server.address())).ok());
    milliseconds elapsed{};
    EXPECT_EQ(server.Stop(signal, &elapsed), (Exit{0, 0}));
    EXPECT_LT(elapsed, kGrace);
  }
}

TEST(UnaryTest, WaitsForAnIdleClientThatDoesNotHearOfTheEnd) {
  Server server({});
  // Between two synchronous calls no thread reads from the connection.
  const std::shared_ptr<grpc::Channel> idle = NewChannel(server.address());
  EXPECT_TRUE(SayHello(idle).ok());
  milliseconds elapsed{};
  EXPECT_EQ(server.Stop(SIGTERM, &elapsed), (Exit{0, 0}));
  EXPECT_GE(elapsed, kGrace);
}

TEST(UnaryTest, AnswersTheRunningCallBeforeItStops) {
  Server server({"--work", "1"});
  const auto client = StartClient(server.address(), {"Ada"});
  ASSERT_TRUE(server.WaitForLog("SayHello from "));
  EXPECT_EQ(server.Stop(SIGTERM), (Exit{0, 0}));
  EXPECT_EQ(client->WaitForExit(kLimit), (Exit{0, 0})) << client->Stderr();
  EXPECT_THAT(client->Stdout(), StartsWith("Hello, Ada!\n"));
}

TEST(UnaryTest, DoesNotWaitForALongCallBeforeItStops) {
  Server server({"--work", kForever});
  const auto client = StartClient(server.address(), {"--timeout", kForever});
  ASSERT_TRUE(server.WaitForLog("SayHello from "));
  milliseconds elapsed{};
  EXPECT_EQ(server.Stop(SIGTERM, &elapsed), (Exit{0, 0}));
  EXPECT_GE(elapsed, kGrace);
  EXPECT_LT(elapsed, kGrace + 10s);
  EXPECT_TRUE(server.WaitForLog("SayHello stops"));
  EXPECT_EQ(client->WaitForExit(kLimit), (Exit{1, 0}));
  EXPECT_EQ(client->Stderr(), "UNAVAILABLE: Cancelling all calls\n");
}

TEST(UnaryTest, StopsWorkingWhenTheClientIsKilled) {
  Server server({"--work", kForever});
  const auto client = StartClient(server.address(), {"--timeout", kForever});
  ASSERT_TRUE(server.WaitForLog("SayHello from "));
  client->Kill();
  EXPECT_TRUE(server.WaitForLog("SayHello stops"));
}

TEST(UnaryTest, RefusesANameThatIsNotUtf8) {
  Server server({});
  const auto client = StartClient(server.address(), {"\xff"});
  EXPECT_EQ(client->WaitForExit(kLimit), (Exit{1, 0}));
  EXPECT_THAT(client->Stderr(), HasSubstr("INTERNAL: "));
}

TEST(UnaryTest, ReportsThatNothingListens) {
  const Port port(Port::kRefuses);
  const auto client = StartClient(port.address(), {"--timeout", kForever});
  EXPECT_EQ(client->WaitForExit(kLimit), (Exit{1, 0}));
  EXPECT_THAT(client->Stdout(), IsEmpty());
  EXPECT_THAT(client->Stderr(), StartsWith("UNAVAILABLE: "));
  EXPECT_THAT(client->Stderr(), HasSubstr("Connection refused"));
}

TEST(UnaryTest, GivesUpOnAServerThatNeverAnswers) {
  const Port port(Port::kAcceptsAndIsSilent);
  const auto start = steady_clock::now();
  const auto client = StartClient(port.address(), {"--timeout", "0.5"});
  EXPECT_EQ(client->WaitForExit(10s), (Exit{1, 0}));
  EXPECT_GE(steady_clock::now() - start, 500ms);
  EXPECT_THAT(client->Stdout(), IsEmpty());
  EXPECT_THAT(client->Stderr(), StartsWith("DEADLINE_EXCEEDED: "));
}

TEST(UnaryTest, GivesUpOnASlowServerWhichThenStopsWorking) {
  Server server({"--work", kForever});
  bool arrived = false;
  // A busy machine may use up a short deadline before the call arrives.
  for (int timeout = 1; !arrived && timeout < 30; timeout *= 2) {
    const auto client =
        StartClient(server.address(), {"--timeout", std::to_string(timeout)});
    EXPECT_EQ(client->WaitForExit(kLimit), (Exit{1, 0}));
    EXPECT_EQ(client->Stderr(), "DEADLINE_EXCEEDED: Deadline Exceeded\n");
    arrived = server.process().WaitForLog("SayHello from ", 0s);
  }
  EXPECT_TRUE(server.WaitForLog("SayHello stops"));
}

TEST(UnaryTest, RunsEveryCallInAThreadUnlessBounded) {
  constexpr int kCalls = 20;
  Server server({"--work", kForever});
  std::vector<std::unique_ptr<Process>> clients;
  for (int i = 0; i < kCalls; ++i) {
    clients.push_back(StartClient(server.address(), {"--timeout", kForever}));
  }
  ASSERT_TRUE(server.WaitForLog("SayHello from ", kCalls));
  const std::filesystem::directory_iterator threads(
      "/proc/" + std::to_string(server.process().pid()) + "/task");
  EXPECT_GE(std::distance(begin(threads), end(threads)), kCalls);
}

TEST(UnaryTest, RefusesACallThatWouldNeedTheLastThread) {
  Server server({"--work", kForever, "--max-threads", "3"});
  const Arguments wait = {"--timeout", kForever};
  const auto first = StartClient(server.address(), wait);
  const auto second = StartClient(server.address(), wait);
  ASSERT_TRUE(server.WaitForLog("SayHello from ", 2));
  for (int i = 0; i < 2; ++i) {
    const auto refused = StartClient(server.address(), wait);
    EXPECT_EQ(refused->WaitForExit(kLimit), (Exit{1, 0}));
    EXPECT_EQ(refused->Stderr(),
              "RESOURCE_EXHAUSTED: Server Threadpool Exhausted\n");
  }
}

// What the server's --max-threads does not accept, with gRPC's own server.
std::unique_ptr<grpc::Server> StartWithThreads(Greeter::Service& service,
                                               int max_threads) {
  grpc::ServerBuilder builder;
  builder.SetResourceQuota(grpc::ResourceQuota().SetMaxThreads(max_threads));
  builder.RegisterService(&service);
  return builder.BuildAndStart();
}

TEST(UnaryTest, RefusesEveryCallWithOneThread) {
  Greeter::Service service;  // answers all that reaches it: UNIMPLEMENTED
  const auto one = StartWithThreads(service, 1);
  const auto two = StartWithThreads(service, 2);
  const grpc::Status status = SayHello(one->InProcessChannel({}));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(status.error_message(), "Server Threadpool Exhausted");
  EXPECT_EQ(SayHello(two->InProcessChannel({})).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

TEST(UnaryDeathTest, AbortsWithoutAThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Greeter::Service service;
  EXPECT_EXIT(StartWithThreads(service, 0), ::testing::KilledBySignal(SIGABRT),
              "No thread quota available");
}

TEST(UnaryDeathTest, AbortsWhenAContextIsUsedTwice) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto call_twice = [] {
    Greeter::Service service;
    const FakeServer server(&service);
    const auto stub = Greeter::NewStub(NewChannel(server.address()));
    grpc::ClientContext context;
    SayHelloResponse response;
    stub->SayHello(&context, {}, &response);
    stub->SayHello(&context, {}, &response);
  };
  EXPECT_EXIT(call_twice(), ::testing::KilledBySignal(SIGABRT),
              "assertion failed: call_ == nullptr");
}

struct Usage {
  const char* program;
  Arguments arguments;
  const char* complaint;
};

TEST(UnaryTest, RejectsBadUsage) {
  const std::vector<Usage> kUsages = {
      {kServer, {"--work", "-1"}, "--work"},
      {kServer, {"--work", "nan"}, "--work"},
      {kServer, {"--work", "99999999999"}, "--work"},
      {kServer, {"--max-threads", "1"}, "--max-threads"},
      {kServer, {"--max-threads", "x"}, "--max-threads"},
      {kServer, {"--address"}, "--address"},
      {kServer, {"--no-such-flag"}, "--no-such-flag"},
      {kServer, {"extra"}, "extra"},
      {kClient, {"--timeout", "-1"}, "--timeout"},
      {kClient, {"--timeout", "0"}, "--timeout"},
      {kClient, {"--timeout", "0.0001"}, "--timeout"},
      {kClient, {"--timeout", "nan"}, "--timeout"},
      {kClient, {"--timeout", "inf"}, "--timeout"},
      {kClient, {"--timeout", "1e30"}, "--timeout"},
      {kClient, {"--timeout", "soon"}, "--timeout"},
      {kClient, {"--timeout"}, "--timeout"},
      {kClient, {"--no-such-flag"}, "--no-such-flag"},
      {kClient, {"Ada", "extra"}, "extra"},
  };
  for (const Usage& usage : kUsages) {
    Process process(Command(usage.program, usage.arguments));
    SCOPED_TRACE(::testing::PrintToString(process.command()));
    EXPECT_EQ(process.WaitForExit(kLimit), (Exit{2, 0}));
    EXPECT_THAT(process.Stdout(), IsEmpty());
    EXPECT_THAT(process.Stderr(), HasSubstr(usage.complaint));
  }
}

TEST(UnaryTest, ExplainsItsFlags) {
  for (const char* program : {kServer, kClient}) {
    Process process({program, "--help"});
    EXPECT_EQ(process.WaitForExit(kLimit), (Exit{0, 0}));
    EXPECT_THAT(process.Stdout(), HasSubstr("--address"));
    EXPECT_THAT(process.Stderr(), IsEmpty());
  }
}

}  // namespace
}  // namespace workshop::testing
