// Runs the programs of lesson 02 and proves what its README says of them.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "lessons/common/program.h"
#include "tests/support/fake_server.h"
#include "tests/support/process.h"
#include "tests/support/server_process.h"
#include "workshop/greeter/v1/greeter.grpc.pb.h"
#include "workshop/users/v1/users.grpc.pb.h"

namespace workshop::testing {
namespace {

using google::rpc::BadRequest;
using google::rpc::ErrorInfo;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using users::v1::GetUserRequest;
using users::v1::GetUserResponse;
using users::v1::Users;

// What a busy machine may need for what takes milliseconds.
constexpr seconds kLimit{30};

const std::string kPrograms = WORKSHOP_BUILD_DIR "/lessons/02_errors/";

class ErrorsTest : public ::testing::Test {
 protected:
  void StartServer(std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), kPrograms + "server");
    server_.emplace(flags, "127.0.0.1:0");
    if (!server_->WaitUntilReady(kLimit)) {
      throw std::runtime_error("the server: " + server_->problem());
    }
    stub_ = Users::NewStub(NewChannel(server_->address()));
  }

  // A read-only call with a deadline. The status is in `status_`, the response
  // in `response_`.
  grpc::StatusCode GetUser(std::int64_t id,
                           const std::vector<std::string>& fields = {},
                           milliseconds timeout = kLimit) {
    GetUserRequest request;
    request.set_id(id);
    for (const std::string& field : fields) {
      request.mutable_read_mask()->add_paths(field);
    }
    context_.emplace();
    context_->set_deadline(system_clock::now() + timeout);
    response_.Clear();
    status_ = stub_->GetUser(&*context_, request, &response_);
    return status_.error_code();
  }

  // The only detail of `status_`, as its receivers find it.
  template <class Detail>
  Detail OnlyDetail() {
    const auto& trailers = context_->GetServerTrailingMetadata();
    const auto trailer = trailers.find("grpc-status-details-bin");
    Detail detail;
    if (trailer == trailers.end()) {
      ADD_FAILURE() << "no details";
      return detail;
    }
    google::rpc::Status rich;
    EXPECT_TRUE(rich.ParseFromArray(trailer->second.data(),
                                    static_cast<int>(trailer->second.size())));
    EXPECT_EQ(rich.code(), status_.error_code());
    EXPECT_EQ(rich.message(), status_.error_message());
    EXPECT_EQ(rich.details_size(), 1);
    EXPECT_TRUE(rich.details_size() > 0 && rich.details(0).UnpackTo(&detail));
    return detail;
  }

  bool WaitForLog(const std::string& text) {
    return server_->process().WaitForLog(text, kLimit);
  }
  std::string Log() { return server_->process().Stderr(); }

  // Runs the client to its end.
  void RunClient(const std::string& address, std::vector<std::string> flags) {
    flags.insert(flags.begin(), {kPrograms + "client", "--address", address});
    Process client(flags);
    const std::optional<Exit> exit = client.WaitForExit(kLimit);
    if (!exit) throw std::runtime_error("the client did not end");
    client_exit_ = *exit;
    out_ = client.Stdout();
    err_ = client.Stderr();
  }
  void RunClient(std::vector<std::string> flags) {
    RunClient(server_->address(), std::move(flags));
  }

  std::optional<ServerProcess> server_;
  std::unique_ptr<Users::Stub> stub_;
  std::optional<grpc::ClientContext> context_;
  grpc::Status status_;
  GetUserResponse response_;
  Exit client_exit_;
  std::string out_;
  std::string err_;
};

// --- Statuses.

TEST_F(ErrorsTest, DemonstratesWithoutArguments) {
  StartServer();
  RunClient({});
  EXPECT_EQ(client_exit_, Exit{kDone});
  EXPECT_EQ(out_, "id: 1 name: \"Ada Lovelace\" email: \"ada@example.com\"\n");
  EXPECT_THAT(err_, HasSubstr("user 0: INVALID_ARGUMENT: id must be positive "
                              "(and 1 more)\n"
                              "  id: must be positive\n"
                              "  read_mask.paths[1]: must name a field of"));
  EXPECT_THAT(err_, HasSubstr("user 99: NOT_FOUND: there is no user with id 99"
                              "\n  USER_NOT_FOUND of users.workshop.example, "
                              "id=99\n"));
}

TEST_F(ErrorsTest, LooksUpTheFieldsThatAreAskedFor) {
  StartServer();
  RunClient({"--fields", "name,email", "2", "3"});
  EXPECT_EQ(client_exit_, Exit{kDone});
  EXPECT_EQ(out_,
            "name: \"Grace Hopper\" email: \"grace@example.com\"\n"
            "name: \"Barbara Liskov\" email: \"barbara@example.com\"\n");
  EXPECT_EQ(err_, "");
}

TEST_F(ErrorsTest, FailsIfOneOfSeveralCallsFails) {
  StartServer();
  RunClient({"1", "99", "2"});
  EXPECT_EQ(client_exit_, Exit{kFailed});
  EXPECT_THAT(out_, HasSubstr("Ada"));
  EXPECT_THAT(out_, HasSubstr("Grace"));
  EXPECT_THAT(err_, HasSubstr("NOT_FOUND"));
}

TEST_F(ErrorsTest, NamesEveryWrongField) {
  StartServer();
  EXPECT_EQ(GetUser(-1, {"name", "emial", "id.x"}),
            grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status_.error_message(), "id must be positive (and 2 more)");
  std::vector<std::pair<std::string, std::string>> violations;
  const auto bad = OnlyDetail<BadRequest>();
  for (const auto& violation : bad.field_violations()) {
    violations.emplace_back(violation.field(), violation.description());
  }
  EXPECT_THAT(
      violations,
      ElementsAre(Pair("id", "must be positive"),
                  Pair("read_mask.paths[1]", "must name a field of User"),
                  Pair("read_mask.paths[2]", "must name a field of User")));
}

TEST_F(ErrorsTest, ValidatesBeforeItLooksUp) {
  StartServer({"--database", "down"});
  EXPECT_EQ(GetUser(0), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(GetUser(1, {"emial"}), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Log(), "");
}

TEST_F(ErrorsTest, SaysWhichUserIsNotThere) {
  StartServer();
  EXPECT_EQ(GetUser(99), grpc::StatusCode::NOT_FOUND);
  const auto info = OnlyDetail<ErrorInfo>();
  EXPECT_EQ(info.reason(), "USER_NOT_FOUND");
  EXPECT_EQ(info.domain(), "users.workshop.example");
  EXPECT_THAT(info.metadata(), UnorderedElementsAre(Pair("id", "99")));
}

TEST_F(ErrorsTest, TellsTheLogAndNotTheCallerWhyTheDatabaseFails) {
  StartServer({"--database", "down"});
  EXPECT_EQ(GetUser(1), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(status_.error_message(), "the user could not be looked up");
  EXPECT_THAT(status_.error_details(), IsEmpty());
  EXPECT_THAT(context_->GetServerTrailingMetadata(), IsEmpty());
  EXPECT_TRUE(WaitForLog("ERROR GetUser 1: users-db-3.internal:5432"));

  RunClient({"1"});
  EXPECT_EQ(client_exit_, Exit{kFailed});
  EXPECT_EQ(err_,
            "user 1: INTERNAL: the user could not be looked up\n"
            "  retry: no; report it: the cause is in the server's log\n");
}

// --- Decisions.

// Answers with the code that is the id.
class EveryCode final : public Users::Service {
 private:
  grpc::Status GetUser(grpc::ServerContext* context,
                       const GetUserRequest* request,
                       GetUserResponse*) override {
    EXPECT_LT(context->deadline(), system_clock::now() + kLimit);
    // No google.rpc.Status: a client must not be upset by it.
    return {static_cast<grpc::StatusCode>(request->id()), "as asked", "\xff"};
  }
};

TEST_F(ErrorsTest, ReadmeAndClientDecideAlike) {
  std::ifstream readme(WORKSHOP_SOURCE_DIR "/lessons/02_errors/README.md");
  const std::regex row(R"(\| (\d+) `(\w+)` \|.*\| ([a-z ]+) \|)");
  std::map<int, std::string> expected;
  for (std::string line; std::getline(readme, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    const int code = std::stoi(match[1]);
    EXPECT_EQ(match[2], CodeName(static_cast<grpc::StatusCode>(code)));
    expected[code] = "user " + match[1].str() + ": " + match[2].str() +
                     ": as asked\n  retry: " + match[3].str() + "; ";
  }
  ASSERT_THAT(expected, SizeIs(17));

  EveryCode service;
  const FakeServer fake(&service);
  std::vector<std::string> ids;
  for (const auto& [code, text] : expected) ids.push_back(std::to_string(code));
  RunClient(fake.address(), ids);
  EXPECT_EQ(client_exit_, Exit{kFailed});
  for (const auto& [code, text] : expected) {
    if (code != 0) EXPECT_THAT(err_, HasSubstr(text));
  }
  EXPECT_THAT(err_, Not(HasSubstr("user 0:")));  // that one was OK
}

// --- Deadlines and cancellation.

// A server whose lookups read 25 pages.
std::vector<std::string> Slow(const std::string& page_seconds,
                              std::vector<std::string> more = {}) {
  more.insert(more.end(), {"--database", "slow", "--page-time", page_seconds});
  return more;
}

constexpr char kStarted[] = "lookup of user 1: started";
constexpr char kStopped[] = "lookup of user 1: no longer wanted, stopped after";
constexpr char kReadAll[] = "lookup of user 1: read all 25 pages";

TEST_F(ErrorsTest, ServerStopsWorkingAtTheDeadline) {
  StartServer(Slow("0.1"));
  EXPECT_EQ(GetUser(1, {}, milliseconds(700)),
            grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(WaitForLog(kStopped)) << Log();
}

TEST_F(ErrorsTest, ServerStopsWorkingWhenTheCallIsCancelled) {
  StartServer(Slow("0.1"));
  std::thread caller(
      [&] { EXPECT_EQ(GetUser(1), grpc::StatusCode::CANCELLED); });
  EXPECT_TRUE(WaitForLog(kStarted));
  context_->TryCancel();
  caller.join();
  EXPECT_TRUE(WaitForLog(kStopped)) << Log();
}

TEST_F(ErrorsTest, ServerStopsWorkingWhenTheClientDies) {
  StartServer(Slow("0.1"));
  Process client({kPrograms + "client", "--address", server_->address(), "1"});
  EXPECT_TRUE(WaitForLog(kStarted));
  client.Kill();
  EXPECT_TRUE(WaitForLog(kStopped)) << Log();
}

TEST_F(ErrorsTest, ServerStopsWorkingAtItsOwnLimit) {
  StartServer(Slow("0.1", {"--limit", "0.3"}));
  EXPECT_EQ(GetUser(1), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(status_.error_message(), "the lookup took too long");
  EXPECT_TRUE(WaitForLog(kStopped)) << Log();
}

TEST_F(ErrorsTest, ServerThatIsStoppedEndsTheLookup) {
  StartServer(Slow("0.5", {"--limit", "60"}));
  std::thread caller([&] { EXPECT_NE(GetUser(1), grpc::StatusCode::OK); });
  EXPECT_TRUE(WaitForLog(kStarted));
  server_->process().Signal(SIGTERM);
  EXPECT_EQ(server_->process().WaitForExit(kLimit), Exit{kDone});
  caller.join();
  EXPECT_THAT(Log(), HasSubstr(kStopped));
}

TEST_F(ErrorsTest, SlowLookupThatIsWantedFindsItsUser) {
  StartServer(Slow("0.01"));
  EXPECT_EQ(GetUser(1), grpc::StatusCode::OK);
  EXPECT_EQ(response_.user().name(), "Ada Lovelace");
  EXPECT_TRUE(WaitForLog(kReadAll));
}

TEST_F(ErrorsTest, ClientDoesNotWaitForEver) {
  StartServer(Slow("5"));
  RunClient({"--timeout", "0.2", "1"});
  EXPECT_EQ(client_exit_, Exit{kFailed});
  EXPECT_THAT(err_, HasSubstr("user 1: DEADLINE_EXCEEDED: "));
  EXPECT_THAT(err_, HasSubstr("  retry: if idempotent; "));
  server_->process().Kill();
}

// --- What gRPC itself answers with.

TEST_F(ErrorsTest, GrpcAnswersWhereNoServerDoes) {
  RunClient("unix:/nobody/listens/here", {"1"});
  EXPECT_EQ(client_exit_, Exit{kFailed});
  EXPECT_THAT(err_, HasSubstr("user 1: UNAVAILABLE: "));

  StartServer();
  const auto greeter =
      greeter::v1::Greeter::NewStub(NewChannel(server_->address()));
  greeter::v1::SayHelloResponse greeting;
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  EXPECT_EQ(greeter->SayHello(&context, {}, &greeting).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);

  grpc::ChannelArguments malformed;
  malformed.SetServiceConfigJSON("{");
  stub_ = Users::NewStub(grpc::CreateCustomChannel(
      server_->address(), grpc::InsecureChannelCredentials(), malformed));
  EXPECT_EQ(GetUser(1), grpc::StatusCode::INVALID_ARGUMENT);
}

// --- Traps.

TEST_F(ErrorsTest, TrapAContextUsedTwiceAborts) {
  StartServer();
  RunClient({"--reuse-context", "1", "2"});
  EXPECT_EQ(client_exit_.signal, SIGABRT);
  EXPECT_THAT(out_, HasSubstr("Ada Lovelace"));
  EXPECT_THAT(out_, Not(HasSubstr("Grace Hopper")));
  EXPECT_THAT(err_, HasSubstr("assertion failed: call_ == nullptr"));
}

TEST_F(ErrorsTest, TrapAnExceptionBecomesUnknown) {
  StartServer({"--service", "careless"});
  EXPECT_EQ(GetUser(99), grpc::StatusCode::UNKNOWN);
  EXPECT_EQ(status_.error_message(), "Unexpected error in RPC handling");
  EXPECT_EQ(GetUser(1), grpc::StatusCode::OK);  // and the server lives on
  EXPECT_EQ(Log(), "");
}

TEST_F(ErrorsTest, TrapAnExceptionInACallbackBecomesUnimplemented) {
  StartServer({"--service", "careless-callback"});
  EXPECT_EQ(GetUser(99), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(status_.error_message(), "");
  EXPECT_EQ(GetUser(1), grpc::StatusCode::OK);
  EXPECT_EQ(Log(), "");
}

TEST_F(ErrorsTest, TrapCarelessWorkGoesOnForNobody) {
  StartServer(Slow("0.03", {"--service", "careless"}));
  std::thread caller(
      [&] { EXPECT_EQ(GetUser(1), grpc::StatusCode::CANCELLED); });
  EXPECT_TRUE(WaitForLog(kStarted));
  context_->TryCancel();
  caller.join();
  context_.reset();  // with the stub, the last to hold the connection
  stub_.reset();
  server_->process().Signal(SIGTERM);  // it cannot stop either
  EXPECT_EQ(server_->process().WaitForExit(kLimit), Exit{kDone});
  EXPECT_THAT(Log(), HasSubstr(kReadAll));
}

TEST_F(ErrorsTest, TrapDetailsThatAreTooLargeHideTheStatus) {
  const std::vector<std::string> wrong(200, "x");
  StartServer({"--max-violations", "200"});
  EXPECT_EQ(GetUser(1, wrong), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(status_.error_message(), HasSubstr("metadata size exceeds"));

  StartServer();
  EXPECT_EQ(GetUser(1, wrong), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(OnlyDetail<BadRequest>().field_violations_size(), 10);
}

// --- The contract of every program.

TEST_F(ErrorsTest, ServerSaysThatItCannotListen) {
  StartServer();
  Process second({kPrograms + "server", "--address", server_->address()});
  EXPECT_EQ(second.WaitForExit(kLimit), Exit{kFailed});
  EXPECT_EQ(second.Stdout(), "");
  EXPECT_THAT(second.Stderr(), HasSubstr("cannot listen on"));
}

TEST_F(ErrorsTest, BadUsageIsExplained) {
  Process server({kPrograms + "server", "--database", "lost"});
  EXPECT_EQ(server.WaitForExit(kLimit), Exit{kBadUsage});
  EXPECT_THAT(server.Stderr(), HasSubstr("--database"));
  for (const char* const seconds : {"-1", "nan", "inf", "soon"}) {
    RunClient("unix:unused", {"--timeout", seconds, "1"});
    EXPECT_EQ(client_exit_, Exit{kBadUsage}) << seconds;
    EXPECT_EQ(out_, "");
    EXPECT_THAT(err_, HasSubstr("--timeout"));
  }
}

}  // namespace
}  // namespace workshop::testing
