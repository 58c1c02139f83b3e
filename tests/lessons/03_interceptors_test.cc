// Lesson 03: its pair as programs, its interceptors under all three server
// APIs, and every trap of its README.

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <cstring>
#include <future>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lessons/03_interceptors/client_interceptors.h"
#include "lessons/03_interceptors/logging_interceptor.h"
#include "lessons/03_interceptors/metadata.h"
#include "lessons/03_interceptors/token.h"
#include "tests/support/process.h"
#include "tests/support/server_process.h"
#include "workshop/calculator/v1/calculator.grpc.pb.h"
#include "workshop/primes/v1/primes.grpc.pb.h"

namespace workshop::testing {
namespace {

using calculator::v1::BinaryRequest;
using calculator::v1::Calculator;
using calculator::v1::DivideResponse;
using calculator::v1::NumberResponse;
using primes::v1::ListPrimesRequest;
using primes::v1::ListPrimesResponse;
using primes::v1::Primes;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr seconds kLimit{30};
const std::string kPrograms = WORKSHOP_BUILD_DIR "/lessons/03_interceptors/";
const std::string kAdd = "/workshop.calculator.v1.Calculator/Add";
const std::string kListPrimes = "/workshop.primes.v1.Primes/ListPrimes";

struct ClientRun {
  std::optional<Exit> exit;
  std::string out;
  std::string err;
};

// Metadata as plain strings, since string_refs do not outlive their context.
using Copied = std::multimap<std::string, std::string>;

Copied Copy(const ReceivedMetadata& metadata) {
  Copied copy;
  for (const auto& [key, value] : metadata) {
    copy.emplace(std::string(key.data(), key.size()),
                 std::string(value.data(), value.size()));
  }
  return copy;
}

struct Outcome {
  grpc::Status status;
  std::vector<int> primes;
  std::int64_t result = 0;
  Copied initial;
  Copied trailing;
};

Outcome Add(const std::shared_ptr<grpc::Channel>& channel,
            const Copied& metadata, std::int64_t a = 7, std::int64_t b = 2) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  BinaryRequest request;
  request.set_a(a);
  request.set_b(b);
  NumberResponse response;
  Outcome outcome;
  outcome.status =
      Calculator::NewStub(channel)->Add(&context, request, &response);
  outcome.result = response.result();
  outcome.initial = Copy(context.GetServerInitialMetadata());
  outcome.trailing = Copy(context.GetServerTrailingMetadata());
  return outcome;
}

Outcome ListPrimes(const std::shared_ptr<grpc::Channel>& channel,
                   const Copied& metadata, int limit = 6) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  for (const auto& [key, value] : metadata) context.AddMetadata(key, value);
  ListPrimesRequest request;
  request.set_limit(limit);
  const auto stub = Primes::NewStub(channel);
  const auto reader = stub->ListPrimes(&context, request);
  Outcome outcome;
  ListPrimesResponse response;
  while (reader->Read(&response)) outcome.primes.push_back(response.prime());
  outcome.status = reader->Finish();
  outcome.initial = Copy(context.GetServerInitialMetadata());
  outcome.trailing = Copy(context.GetServerTrailingMetadata());
  return outcome;
}

const Copied kToken = {{"authorization", "Bearer workshop"}};

Copied WithToken(Copied metadata) {
  metadata.insert(kToken.begin(), kToken.end());
  return metadata;
}

class Interceptors : public ::testing::Test {
 protected:
  void StartServer(std::vector<std::string> flags = {},
                   std::string address = "127.0.0.1:0") {
    flags.insert(flags.begin(), kPrograms + "server");
    server_ =
        std::make_unique<ServerProcess>(std::move(flags), std::move(address));
    ASSERT_TRUE(server_->WaitUntilReady(kLimit)) << server_->problem();
    channel_ = NewChannel(server_->address());
  }

  // Stops the server; then its log is complete.
  std::string StopServer() {
    // A server waits for its clients to hang up, and an idle channel does not
    // notice that it should.
    channel_.reset();
    server_->process().Signal(SIGTERM);
    EXPECT_EQ(server_->process().WaitForExit(kLimit), Exit{});
    return server_->process().Stderr();
  }

  ClientRun RunClient(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(),
                     {kPrograms + "client", "--address", server_->address()});
    Process client(std::move(arguments));
    ClientRun run;
    run.exit = client.WaitForExit(kLimit);
    run.out = client.Stdout();
    run.err = client.Stderr();
    return run;
  }

  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  ServerProcess& server() { return *server_; }

 private:
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// What the log says of each call, as "METHOD CODE N in M out". A call is logged
// after its answer is out, perhaps later than the next one.
std::vector<std::string> Logged(const std::string& log) {
  static const std::regex kLine(
      R"((/\S+|unknown) (\w+) \d+\.\d{3} ms (?:ipv4:127\.0\.0\.1:\d+|unix:))"
      R"( (.*))");
  std::vector<std::string> calls;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, kLine)) continue;
    calls.push_back(match.str(1) + " " + match.str(2) + " " + match.str(3));
  }
  return calls;
}

// --- Metadata.

TEST_F(Interceptors, TheClientAloneShowsTheLesson) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const ClientRun client = RunClient({});
  EXPECT_EQ(client.exit, Exit{}) << client.err;
  const std::string metadata =
      "  initial request-id-bin: 00ff0a42\n"
      "  trailing handler-time: [0-9.]+ ms\n"
      "  trailing user-id: anonymous\n";
  EXPECT_TRUE(std::regex_match(
      client.out, std::regex("7 \\+ 2 = 9\n" + metadata +
                             "prime 2\nprime 3\nprime 5\n" + metadata)))
      << client.out;
  EXPECT_TRUE(std::regex_match(
      client.err,
      std::regex(kAdd + " OK [0-9.]+ ms\n" + kListPrimes + " OK [0-9.]+ ms\n")))
      << client.err;
  EXPECT_THAT(Logged(StopServer()),
              UnorderedElementsAre(kAdd + " OK 1 in 1 out",
                                   kListPrimes + " OK 1 in 3 out"));
}

TEST_F(Interceptors, AUserIdIsReadAndItsDefaultIsAnonymous) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const Outcome ada = Add(channel(), WithToken({{"user-id", "ada"}}));
  EXPECT_TRUE(ada.status.ok()) << ada.status.error_message();
  EXPECT_EQ(ada.result, 9);
  EXPECT_EQ(ada.trailing.find("user-id")->second, "ada");
  const Outcome nobody = ListPrimes(channel(), kToken);
  EXPECT_TRUE(nobody.status.ok()) << nobody.status.error_message();
  EXPECT_EQ(nobody.trailing.find("user-id")->second, "anonymous");
  EXPECT_EQ(nobody.initial.count("request-id-bin"), 0);
}

TEST_F(Interceptors, BinaryMetadataCarryAnyBytes) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  const Copied metadata = WithToken({{"request-id-bin", bytes}});
  const Outcome unary = Add(channel(), metadata);
  ASSERT_EQ(unary.initial.count("request-id-bin"), 1);
  EXPECT_EQ(unary.initial.find("request-id-bin")->second, bytes);
  const Outcome stream = ListPrimes(channel(), metadata);
  ASSERT_EQ(stream.initial.count("request-id-bin"), 1);
  EXPECT_EQ(stream.initial.find("request-id-bin")->second, bytes);
}

TEST_F(Interceptors, TrailingMetadataComeWithABadStatusToo) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const Outcome outcome = ListPrimes(channel(), kToken, -1);
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(outcome.status.error_message(), "limit must be from 0 to 1000000");
  EXPECT_EQ(outcome.trailing.find("user-id")->second, "anonymous");
}

// --- The services themselves.

TEST_F(Interceptors, TheServicesKeepTheirContracts) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(Add(channel(), kToken, kMax, 1).status.error_code(),
            grpc::StatusCode::OUT_OF_RANGE);
  const auto stub = Calculator::NewStub(channel());
  const auto call = [&](auto method, std::int64_t a, std::int64_t b,
                        auto* response) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kLimit);
    context.AddMetadata("authorization", "Bearer workshop");
    BinaryRequest request;
    request.set_a(a);
    request.set_b(b);
    return ((*stub).*method)(&context, request, response).error_code();
  };
  NumberResponse number;
  EXPECT_EQ(call(&Calculator::Stub::Subtract, 7, 2, &number), grpc::OK);
  EXPECT_EQ(number.result(), 5);
  EXPECT_EQ(call(&Calculator::Stub::Multiply, 7, 2, &number), grpc::OK);
  EXPECT_EQ(number.result(), 14);
  EXPECT_EQ(call(&Calculator::Stub::Multiply, kMax, 2, &number),
            grpc::OUT_OF_RANGE);
  DivideResponse divided;
  EXPECT_EQ(call(&Calculator::Stub::Divide, -7, 2, &divided), grpc::OK);
  EXPECT_EQ(divided.quotient(), -3);
  EXPECT_EQ(divided.remainder(), -1);
  EXPECT_EQ(call(&Calculator::Stub::Divide, 7, 0, &divided),
            grpc::INVALID_ARGUMENT);
  EXPECT_EQ(call(&Calculator::Stub::Divide, -kMax - 1, -1, &divided),
            grpc::OUT_OF_RANGE);
  EXPECT_THAT(ListPrimes(channel(), kToken, 2).primes, ElementsAre());
  EXPECT_THAT(ListPrimes(channel(), kToken, 12).primes,
              ElementsAre(2, 3, 5, 7, 11));
}

TEST_F(Interceptors, AServerThatIsStoppedLetsARunningCallEnd) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  context.AddMetadata("authorization", "Bearer workshop");
  ListPrimesRequest request;
  request.set_limit(50'000);
  const auto stub = Primes::NewStub(channel());
  const auto reader = stub->ListPrimes(&context, request);
  ListPrimesResponse response;
  ASSERT_TRUE(reader->Read(&response));
  server().process().Signal(SIGTERM);
  while (reader->Read(&response)) {
  }
  // What of that arrived is another question: a process that ends with unread
  // data in its socket resets the connection.
  reader->Finish();
  EXPECT_EQ(server().process().WaitForExit(kLimit), Exit{});
  EXPECT_THAT(Logged(server().process().Stderr()),
              UnorderedElementsAre(kListPrimes + " OK 1 in 5133 out"));
}

// --- The right ways to refuse.

class RefusesIn : public Interceptors,
                  public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Both, RefusesIn,
                         ::testing::Values("handler", "processor"));

TEST_P(RefusesIn, WhoeverHasNoValidToken) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--refuse-in", GetParam()}));
  const std::vector<Copied> wrong = {
      {},
      {{"authorization", "Bearer nonsense"}},
      {{"authorization", "Bearer workshop2"}},
      {{"authorization", "workshop"}},
      {{"authorization", "Bearer x"}, {"authorization", "Bearer workshop"}}};
  for (const Copied& metadata : wrong) {
    for (const Outcome& outcome :
         {Add(channel(), metadata), ListPrimes(channel(), metadata)}) {
      EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
      EXPECT_EQ(outcome.status.error_message(),
                "authorization: a valid bearer token is required");
      EXPECT_THAT(outcome.primes, ElementsAre());
    }
  }
  EXPECT_THAT(StopServer(), Not(HasSubstr("handler runs")));
}

TEST_P(RefusesIn, NobodyWhoHasOne) {
  ASSERT_NO_FATAL_FAILURE(
      StartServer({"--refuse-in", GetParam(), "--token", "secret"}));
  const ClientRun client = RunClient({"--token", "secret", "--user-id", "ada"});
  EXPECT_EQ(client.exit, Exit{}) << client.err;
  EXPECT_THAT(StopServer(), HasSubstr("handler runs for ada"));
}

TEST_P(RefusesIn, EveryCall) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--refuse-in", GetParam()}));
  const auto stub = Calculator::NewStub(channel());
  const auto refused = [&](auto method, auto response) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kLimit);
    return ((*stub).*method)(&context, BinaryRequest(), &response)
               .error_code() == grpc::StatusCode::UNAUTHENTICATED;
  };
  EXPECT_TRUE(refused(&Calculator::Stub::Add, NumberResponse()));
  EXPECT_TRUE(refused(&Calculator::Stub::Subtract, NumberResponse()));
  EXPECT_TRUE(refused(&Calculator::Stub::Multiply, NumberResponse()));
  EXPECT_TRUE(refused(&Calculator::Stub::Divide, DivideResponse()));
  EXPECT_EQ(ListPrimes(channel(), {}).status.error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
}

TEST_P(RefusesIn, OverAUnixSocketToo) {
  const TempDir directory;
  ASSERT_NO_FATAL_FAILURE(StartServer({"--refuse-in", GetParam()},
                                      "unix:" + directory.path() + "/s"));
  EXPECT_EQ(Add(channel(), {}).status.error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Add(channel(), kToken).status.error_code(), grpc::StatusCode::OK);
}

TEST_F(Interceptors, WhatAHandlerRefusesIsLogged) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const ClientRun client = RunClient({"--token", ""});
  EXPECT_EQ(client.exit, (Exit{1, 0}));
  EXPECT_THAT(client.out, "");
  EXPECT_THAT(client.err, HasSubstr("UNAUTHENTICATED: authorization: "));
  EXPECT_THAT(
      Logged(StopServer()),
      UnorderedElementsAre(kAdd + " UNAUTHENTICATED 1 in 0 out",
                           kListPrimes + " UNAUTHENTICATED 1 in 0 out"));
}

TEST_F(Interceptors, WhatAProcessorRefusesNoInterceptorSees) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--refuse-in", "processor", "--trace"}));
  EXPECT_EQ(RunClient({"--token", ""}).exit, (Exit{1, 0}));
  EXPECT_EQ(StopServer(), "");
}

// --- The wrong ways.

TEST_F(Interceptors, AfterTryCancelTheHandlerRuns) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--refuse-in", "try-cancel"}));
  const ClientRun client = RunClient({"--token", ""});
  EXPECT_EQ(client.exit, (Exit{1, 0}));
  EXPECT_THAT(client.err,
              HasSubstr("\nCANCELLED: Cancelled on the server side\n"));
  const std::string log = StopServer();
  EXPECT_THAT(log, HasSubstr("handler runs for anonymous\n"));
  EXPECT_THAT(Logged(log), UnorderedElementsAre(
                               kAdd + " OK 1 in 0 out cut off",
                               kListPrimes + " CANCELLED 1 in 0 out cut off"));
}

TEST_F(Interceptors, AfterModifySendStatusTheHandlerHasRunAndItsDataAreOut) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--refuse-in", "modify-status"}));
  const ClientRun client = RunClient({"--token", ""});
  EXPECT_EQ(client.exit, (Exit{1, 0}));
  EXPECT_THAT(client.out, HasSubstr("prime 2\nprime 3\nprime 5\n"));
  EXPECT_THAT(client.err, HasSubstr("UNAUTHENTICATED: authorization: "));
  const std::string log = StopServer();
  EXPECT_THAT(log, HasSubstr("handler runs for anonymous\n"));
  EXPECT_THAT(Logged(log), UnorderedElementsAre(
                               kAdd + " UNAUTHENTICATED 1 in 1 out",
                               kListPrimes + " UNAUTHENTICATED 1 in 3 out"));
}

TEST_F(Interceptors, WithoutProceedTheCallHangsAndTheServerCannotStop) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--refuse-in", "no-proceed"}));
  const ClientRun client = RunClient({"--token", "", "--timeout", "0.2"});
  EXPECT_EQ(client.exit, (Exit{1, 0}));
  EXPECT_THAT(client.err, HasSubstr("\nDEADLINE_EXCEEDED: "));
  server().process().Signal(SIGTERM);
  // Its grace is two seconds.
  EXPECT_EQ(server().process().WaitForExit(milliseconds(2500)), std::nullopt);
  server().process().Kill();
  EXPECT_EQ(server().process().Stderr(), "");
}

TEST_F(Interceptors, HijackAbortsAServer) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--refuse-in", "hijack"}));
  const ClientRun client = RunClient({"--token", ""});
  EXPECT_EQ(client.exit, (Exit{1, 0}));
  EXPECT_THAT(client.err, HasSubstr("\nUNAVAILABLE: "));
  EXPECT_EQ(server().process().WaitForExit(kLimit), (Exit{0, SIGABRT}));
  EXPECT_THAT(server().process().Stderr(),
              HasSubstr("assertion failed: !reverse_"));
}

TEST_F(Interceptors, AProcessorOnInsecureCredentialsAborts) {
  Process server({kPrograms + "server", "--address", "127.0.0.1:0",
                  "--refuse-in", "insecure-processor"});
  EXPECT_EQ(server.WaitForExit(kLimit), (Exit{0, SIGABRT}));
  EXPECT_EQ(server.Stdout(), "");
  EXPECT_THAT(server.Stderr(), HasSubstr("insecure_server_credentials.cc"));
}

TEST_F(Interceptors, AskingIfACallWasCancelledEndsTheServer) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--ask-if-cancelled"}));
  RunClient({});
  const auto exit = server().process().WaitForExit(kLimit);
  ASSERT_TRUE(exit);
#ifdef WORKSHOP_SANITIZED
  EXPECT_NE(*exit, Exit{});
#else
  EXPECT_EQ(*exit, (Exit{0, SIGSEGV}));
#endif
}

// --- Order.

// What the interceptors named `inner` and `outer` have printed.
std::vector<std::string> Traced(const std::string& log) {
  std::vector<std::string> lines;
  std::istringstream in(log);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("inner:") || line.starts_with("outer:")) {
      lines.push_back(line);
    }
  }
  return lines;
}

TEST_F(Interceptors, OnTheServerTheLastOneIsOutermost) {
  ASSERT_NO_FATAL_FAILURE(StartServer({"--trace"}));
  ASSERT_TRUE(Add(channel(), kToken).status.ok());
  EXPECT_THAT(
      Traced(StopServer()),
      ElementsAre(
          "outer: POST_RECV_INITIAL_METADATA POST_RECV_MESSAGE",
          "inner: POST_RECV_INITIAL_METADATA POST_RECV_MESSAGE",
          "inner: PRE_SEND_INITIAL_METADATA PRE_SEND_MESSAGE PRE_SEND_STATUS",
          "outer: PRE_SEND_INITIAL_METADATA PRE_SEND_MESSAGE PRE_SEND_STATUS",
          "outer: POST_SEND_MESSAGE", "inner: POST_SEND_MESSAGE",
          "outer: POST_RECV_CLOSE", "inner: POST_RECV_CLOSE"));
}

TEST_F(Interceptors, OnTheClientTheFirstOneIsOutermost) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  const ClientRun client = RunClient({"--trace"});
  ASSERT_EQ(client.exit, Exit{});
  const std::vector<std::string> lines = Traced(client.err);
  ASSERT_GE(lines.size(), 8u);
  EXPECT_THAT(std::vector<std::string>(lines.begin(), lines.begin() + 4),
              ElementsAre("outer: PRE_SEND_INITIAL_METADATA [request-id-bin] "
                          "PRE_SEND_MESSAGE PRE_SEND_CLOSE",
                          "inner: PRE_SEND_INITIAL_METADATA [authorization] "
                          "[request-id-bin] PRE_SEND_MESSAGE PRE_SEND_CLOSE",
                          "inner: POST_SEND_MESSAGE POST_RECV_INITIAL_METADATA "
                          "POST_RECV_MESSAGE POST_RECV_STATUS",
                          "outer: POST_SEND_MESSAGE POST_RECV_INITIAL_METADATA "
                          "POST_RECV_MESSAGE POST_RECV_STATUS"));
  // A stream is called for piece by piece, and sometimes for nothing.
  EXPECT_THAT(lines, ::testing::Contains("inner:"));
  EXPECT_THAT(lines, ::testing::Contains("inner: POST_RECV_MESSAGE").Times(3));
  EXPECT_EQ(lines[lines.size() - 2], "inner: POST_RECV_STATUS");
  EXPECT_EQ(lines.back(), "outer: POST_RECV_STATUS");
}

// --- What metadata cannot carry.

TEST_F(Interceptors, AClientChecksWhatItSends) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  for (const std::string flag : {"--token", "--user-id"}) {
    for (const std::string value : {"Zo\xc3\xab", "workshop\n"}) {
      EXPECT_EQ(RunClient({flag, value}).exit, (Exit{2, 0}));
      const ClientRun client = RunClient({flag, value, "--unchecked"});
      EXPECT_EQ(client.exit, (Exit{0, SIGABRT})) << client.err;
      EXPECT_THAT(client.err, HasSubstr("Illegal header value"));
    }
  }
}

// Calls Add as no gRPC library would: with bytes in an ASCII header.
void CallWithUserId(const std::string& path, const std::string& user_id) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_GE(fd, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof(address.sun_path));
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
            0);
  const auto frame = [](char type, char flags, char stream,
                        const std::string& body) {
    return std::string("\0\0", 2) + static_cast<char>(body.size()) + type +
           flags + std::string("\0\0\0", 3) + stream + body;
  };
  std::string headers;
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{
           {":method", "POST"},
           {":scheme", "http"},
           {":path", kAdd},
           {":authority", "localhost"},
           {{'t', 'e'}, "trailers"},
           {"content-type", "application/grpc"},
           {"authorization", "Bearer workshop"},
           {"user-id", user_id}}) {
    headers += '\0';
    headers += static_cast<char>(key.size());
    headers += key;
    headers += static_cast<char>(value.size());
    headers += value;
  }
  const std::string bytes = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" +
                            frame(4, 0, 0, "") + frame(1, 4, 1, headers) +
                            frame(0, 1, 1, std::string(5, '\0'));
  EXPECT_EQ(send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  // Until the server hangs up, or has answered with the trailers' message.
  const timeval limit = {.tv_sec = kLimit.count(), .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
  std::string answer;
  char buffer[4096];
  for (ssize_t size; answer.find("user-id must be") == std::string::npos &&
                     (size = recv(fd, buffer, sizeof(buffer), 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(size));
  }
  close(fd);
}

TEST_F(Interceptors, AServerThatEchoesUncheckedCanBeAbortedByAnyCaller) {
  const TempDir directory;
  const std::string path = directory.path() + "/s";
  ASSERT_NO_FATAL_FAILURE(StartServer({"--echo-unchecked"}, "unix:" + path));
  CallWithUserId(path, "Zo\xc3\xab");
  EXPECT_EQ(server().process().WaitForExit(kLimit), (Exit{0, SIGABRT}));
  EXPECT_THAT(server().process().Stderr(), HasSubstr("Illegal header value"));
}

TEST_F(Interceptors, AServerThatChecksRefusesThatCaller) {
  const TempDir directory;
  const std::string path = directory.path() + "/s";
  ASSERT_NO_FATAL_FAILURE(StartServer({}, "unix:" + path));
  CallWithUserId(path, "Zo\xc3\xab");
  CallWithUserId(path, "ada\nforged line");
  EXPECT_TRUE(Add(channel(), kToken).status.ok());
  EXPECT_THAT(Logged(StopServer()),
              UnorderedElementsAre(kAdd + " INVALID_ARGUMENT 1 in 0 out",
                                   kAdd + " INVALID_ARGUMENT 1 in 0 out",
                                   kAdd + " OK 1 in 1 out"));
}

TEST(Metadata, AKeyInUpperCaseAborts) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(Add(NewChannel("unix:nobody"), {{"User-Id", "ada"}}),
               "Illegal header key");
}

TEST_F(Interceptors, CallCredentialsDoNotGoOverAnInsecureChannel) {
  ASSERT_NO_FATAL_FAILURE(StartServer());
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  context.set_credentials(grpc::AccessTokenCredentials("workshop"));
  NumberResponse response;
  const grpc::Status status =
      Calculator::NewStub(channel())->Add(&context, BinaryRequest(), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(status.error_message(), HasSubstr("security level"));
  EXPECT_EQ(StopServer(), "");
}

// --- The interceptors under the other two APIs.

// Collects the records of an interceptor; a test waits for them.
class Records {
 public:
  void Add(const CallRecord& record) {
    const std::lock_guard<std::mutex> lock(mutex_);
    records_.push_back(record);
    changed_.notify_all();
  }

  std::vector<CallRecord> Wait(std::size_t count) {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait_for(lock, kLimit, [&] { return records_.size() >= count; });
    EXPECT_EQ(records_.size(), count);
    return records_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<CallRecord> records_;  // guarded by mutex_
};

// Writes down the peer that a factory knows of, and makes nothing.
class EarlyFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit EarlyFactory(std::string& peer) : peer_(peer) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    peer_ = call->server_context()->peer();
    return nullptr;
  }

 private:
  std::string& peer_;
};

// A server in this process that logs.
class InProcess {
 public:
  explicit InProcess(const std::vector<grpc::Service*>& services,
                     const std::shared_ptr<grpc::ServerCredentials>&
                         credentials = grpc::InsecureServerCredentials(),
                     bool with_queue = false) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", credentials, &port);
    for (grpc::Service* service : services) builder.RegisterService(service);
    std::vector<
        std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
        interceptors;
    interceptors.push_back(std::make_unique<LoggingInterceptorFactory>(
        [this](const CallRecord& record) { records_.Add(record); }));
    interceptors.push_back(std::make_unique<EarlyFactory>(early_peer_));
    builder.experimental().SetInterceptorCreators(std::move(interceptors));
    if (with_queue) queue_ = builder.AddCompletionQueue();
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
    channel_ = NewChannel(address_);
  }

  ~InProcess() { Stop(); }

  void Stop() {
    if (server_ != nullptr) server_->Shutdown(system_clock::now());
  }

  const std::string& address() const { return address_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  grpc::ServerCompletionQueue* queue() { return queue_.get(); }
  Records& records() { return records_; }
  // Of the last call, once it is over.
  const std::string& early_peer() const { return early_peer_; }

 private:
  Records records_;
  std::string early_peer_ = "nobody called";
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
};

void ExpectRecord(const CallRecord& record, const std::string& method,
                  std::optional<grpc::StatusCode> code, int received, int sent,
                  bool cut_off) {
  EXPECT_EQ(record.method, method);
  EXPECT_THAT(record.peer, ::testing::StartsWith("ipv4:127.0.0.1:"));
  EXPECT_EQ(record.code, code);
  EXPECT_EQ(record.received, received);
  EXPECT_EQ(record.sent, sent);
  EXPECT_EQ(record.cut_off, cut_off);
  EXPECT_GT(record.duration, steady_clock::duration::zero());
  EXPECT_LT(record.duration, kLimit);
}

class CallbackCalculator final : public Calculator::CallbackService {
  grpc::ServerUnaryReactor* Add(grpc::CallbackServerContext* context,
                                const BinaryRequest* request,
                                NumberResponse* response) override {
    response->set_result(request->a() + request->b());
    auto* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// Sends 2 and 3, then ends; or, for a limit of 0, waits until it is cancelled,
// and tries to write even then.
class CallbackPrimes final : public Primes::CallbackService {
  class Reactor final : public grpc::ServerWriteReactor<ListPrimesResponse> {
   public:
    explicit Reactor(bool wait) {
      if (wait) {
        StartSendInitialMetadata();
      } else {
        Next();
      }
    }
    void Next() {
      if (++prime_ > 3) return Finish(grpc::Status::OK);
      response_.set_prime(prime_);
      StartWrite(&response_);
    }
    void OnWriteDone(bool ok) override {
      if (!ok) return Finish(grpc::Status::CANCELLED);
      Next();
    }
    void OnCancel() override { StartWrite(&response_); }  // which fails
    void OnDone() override { delete this; }

   private:
    int prime_ = 1;
    ListPrimesResponse response_;
  };

  grpc::ServerWriteReactor<ListPrimesResponse>* ListPrimes(
      grpc::CallbackServerContext* context,
      const ListPrimesRequest* request) override {
    return new Reactor(request->limit() == 0);
  }
};

TEST(LoggingInterceptor, SeesCallsOfTheCallbackApi) {
  CallbackCalculator calculator;
  CallbackPrimes primes;
  InProcess server({&calculator, &primes});
  EXPECT_TRUE(Add(server.channel(), {}).status.ok());
  const auto records = server.records().Wait(1);
  ExpectRecord(records.at(0), kAdd, grpc::OK, 1, 1, false);
  EXPECT_THAT(ListPrimes(server.channel(), {}).primes, ElementsAre(2, 3));
  ExpectRecord(server.records().Wait(2).at(1), kListPrimes, grpc::OK, 1, 2,
               false);
}

TEST(LoggingInterceptor, SeesThatAStreamWasCutOff) {
  CallbackPrimes primes;
  InProcess server({&primes});
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  const auto stub = Primes::NewStub(server.channel());
  const auto reader = stub->ListPrimes(&context, ListPrimesRequest());
  reader->WaitForInitialMetadata();
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
  ExpectRecord(server.records().Wait(1).at(0), kListPrimes, grpc::CANCELLED, 1,
               0, true);
}

// Waits for the next event of a completion queue and checks its tag.
bool Next(grpc::CompletionQueue* queue, void* expected) {
  void* tag = nullptr;
  bool ok = false;
  EXPECT_EQ(queue->AsyncNext(&tag, &ok, system_clock::now() + kLimit),
            grpc::CompletionQueue::GOT_EVENT);
  EXPECT_EQ(tag, expected);
  return ok;
}

TEST(LoggingInterceptor, SeesCallsOfTheCompletionQueue) {
  Calculator::AsyncService calculator;
  Primes::AsyncService primes;
  InProcess server({&calculator, &primes}, grpc::InsecureServerCredentials(),
                   /*with_queue=*/true);
  {
    grpc::ServerContext context;
    BinaryRequest request;
    grpc::ServerAsyncResponseWriter<NumberResponse> writer(&context);
    calculator.RequestAdd(&context, &request, &writer, server.queue(),
                          server.queue(), &context);
    auto call = std::async(std::launch::async,
                           [&] { return Add(server.channel(), {}).status; });
    EXPECT_TRUE(Next(server.queue(), &context));
    writer.Finish(NumberResponse(), grpc::Status::OK, &writer);
    EXPECT_TRUE(Next(server.queue(), &writer));
    EXPECT_TRUE(call.get().ok());
  }
  ExpectRecord(server.records().Wait(1).at(0), kAdd, grpc::OK, 1, 1, false);
  {
    grpc::ServerContext context;
    ListPrimesRequest request;
    grpc::ServerAsyncWriter<ListPrimesResponse> writer(&context);
    primes.RequestListPrimes(&context, &request, &writer, server.queue(),
                             server.queue(), &context);
    auto call = std::async(std::launch::async, [&] {
      return ListPrimes(server.channel(), {}).primes;
    });
    EXPECT_TRUE(Next(server.queue(), &context));
    writer.Write(ListPrimesResponse(), &writer);
    EXPECT_TRUE(Next(server.queue(), &writer));
    writer.Finish(grpc::Status::OK, &writer);
    EXPECT_TRUE(Next(server.queue(), &writer));
    EXPECT_THAT(call.get(), ElementsAre(0));
  }
  ExpectRecord(server.records().Wait(2).at(1), kListPrimes, grpc::OK, 1, 1,
               false);
  server.Stop();
  server.queue()->Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (server.queue()->Next(&tag, &ok)) {
  }
}

class SyncCalculator final : public Calculator::Service {
  grpc::Status Add(grpc::ServerContext* context, const BinaryRequest* request,
                   NumberResponse* response) override {
    response->set_result(static_cast<std::int64_t>(
        context->client_metadata().count("authorization")));
    return grpc::Status::OK;
  }
};

// Sends `bytes` as the message of a call to `method`.
grpc::StatusCode CallWithBytes(const std::shared_ptr<grpc::Channel>& channel,
                               const std::string& method,
                               const std::string& bytes) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  grpc::ByteBuffer response;
  std::promise<grpc::StatusCode> code;
  grpc::GenericStub stub(channel);
  stub.UnaryCall(
      &context, method, grpc::StubOptions(), &request, &response,
      [&](const grpc::Status& status) { code.set_value(status.error_code()); });
  return code.get_future().get();
}

TEST(LoggingInterceptor, SurvivesAMessageThatCannotBeParsed) {
  SyncCalculator calculator;
  InProcess server({&calculator});
  EXPECT_EQ(CallWithBytes(server.channel(), kAdd, "\xff"), grpc::INTERNAL);
  ExpectRecord(server.records().Wait(1).at(0), kAdd, grpc::INTERNAL, 0, 0,
               false);
}

TEST(LoggingInterceptor, KnowsThePeerThoughItsFactoryDoesNot) {
  SyncCalculator calculator;
  InProcess server({&calculator});
  EXPECT_TRUE(Add(server.channel(), {}).status.ok());
  ExpectRecord(server.records().Wait(1).at(0), kAdd, grpc::OK, 1, 1, false);
  EXPECT_EQ(server.early_peer(), "");
}

TEST(LoggingInterceptor, DoesNotKnowWhichMethodWasNotThere) {
  SyncCalculator calculator;
  InProcess server({&calculator});
  EXPECT_EQ(CallWithBytes(server.channel(), "/no.Such/Method", ""),
            grpc::UNIMPLEMENTED);
  ExpectRecord(server.records().Wait(1).at(0), "unknown", grpc::UNIMPLEMENTED,
               0, 0, false);
}

TEST(TokenProcessor, TakesTheTokenAway) {
  SyncCalculator calculator;
  const auto credentials =
      grpc::experimental::LocalServerCredentials(LOCAL_TCP);
  credentials->SetAuthMetadataProcessor(
      std::make_shared<TokenProcessor>("workshop"));
  InProcess server({&calculator}, credentials);
  const Outcome outcome = Add(server.channel(), kToken);
  EXPECT_TRUE(outcome.status.ok()) << outcome.status.error_message();
  EXPECT_EQ(outcome.result, 0) << "the handler saw the token";
}

// Writes down callers where they do not belong.
class RememberingProcessor final : public grpc::AuthMetadataProcessor {
  bool IsBlocking() const override { return false; }
  grpc::Status Process(const InputMetadata& metadata,
                       grpc::AuthContext* context, OutputMetadata* consumed,
                       OutputMetadata* response) override {
    EXPECT_EQ(MetadataOr(metadata, ":path", ""), kAdd);
    context->AddProperty("user", MetadataOr(metadata, "user-id", "anonymous"));
    return grpc::Status::OK;
  }
};

class UserCounter final : public Calculator::Service {
  grpc::Status Add(grpc::ServerContext* context, const BinaryRequest* request,
                   NumberResponse* response) override {
    response->set_result(static_cast<std::int64_t>(
        context->auth_context()->FindPropertyValues("user").size()));
    return grpc::Status::OK;
  }
};

TEST(TokenProcessor, MustNotWriteACallerIntoTheAuthContext) {
  UserCounter counter;
  const auto credentials =
      grpc::experimental::LocalServerCredentials(LOCAL_TCP);
  credentials->SetAuthMetadataProcessor(
      std::make_shared<RememberingProcessor>());
  InProcess server({&counter}, credentials);
  EXPECT_EQ(Add(server.channel(), {{"user-id", "ada"}}).result, 1);
  EXPECT_EQ(Add(server.channel(), {{"user-id", "bob"}}).result, 2);
}

TEST(ClientInterceptors, WorkForCallbackCallsToo) {
  SyncCalculator calculator;
  InProcess server({&calculator});
  std::promise<grpc::StatusCode> timed;
  std::vector<
      std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
      interceptors;
  interceptors.push_back(std::make_unique<TimingInterceptorFactory>(
      [&](const std::string& method, const grpc::Status& status,
          steady_clock::duration time) {
        EXPECT_EQ(method, kAdd);
        EXPECT_GT(time, steady_clock::duration::zero());
        timed.set_value(status.error_code());
      }));
  interceptors.push_back(std::make_unique<TokenInterceptorFactory>("workshop"));
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  const auto channel = grpc::experimental::CreateCustomChannelWithInterceptors(
      server.address(), grpc::InsecureChannelCredentials(), arguments,
      std::move(interceptors));
  const auto stub = Calculator::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  const BinaryRequest request;
  NumberResponse response;
  std::promise<void> done;
  stub->async()->Add(&context, &request, &response, [&](grpc::Status status) {
    EXPECT_TRUE(status.ok()) << status.error_message();
    done.set_value();
  });
  done.get_future().get();
  EXPECT_EQ(timed.get_future().get(), grpc::StatusCode::OK);
  EXPECT_EQ(response.result(), 1) << "no token arrived";
}

}  // namespace
}  // namespace workshop::testing
