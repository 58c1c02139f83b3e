// What lessons/05_testing/README.md says, with the real programs: the pair, the
// lesson's tests with and without the planted bugs, and the traps.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/server_process.h"
#include "workshop/reservations/v1/reservations.grpc.pb.h"

namespace workshop::testing {
namespace {

namespace fs = std::filesystem;

using reservations::v1::Reservations;
using reservations::v1::ReserveRequest;
using reservations::v1::ReserveResponse;
using std::chrono::milliseconds;
using std::chrono::system_clock;
using std::literals::operator""s;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

constexpr milliseconds kLimit = 30s;  // for what should take no time at all

const fs::path kLesson = WORKSHOP_SOURCE_DIR "/lessons/05_testing";
const fs::path kBuild = WORKSHOP_BUILD_DIR "/lessons/05_testing";

#ifdef WORKSHOP_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A program that has been run to its end.
struct Ended {
  Exit exit;
  std::string out;
  std::string err;
};

Ended RunProgram(const fs::path& program, std::vector<std::string> arguments,
                 Process::Options options = {}) {
  arguments.insert(arguments.begin(), program.string());
  Process process(std::move(arguments), std::move(options));
  const std::optional<Exit> exit = process.WaitForExit(kLimit);
  EXPECT_TRUE(exit.has_value()) << program << " did not end";
  return {exit.value_or(Exit{-1, 0}), process.Stdout(), process.Stderr()};
}

// --- The pair.

class PairTest : public ::testing::Test {
 protected:
  void StartServer(std::vector<std::string> flags = {}) {
    flags.insert(flags.begin(), (kBuild / "server").string());
    server_ = std::make_unique<ServerProcess>(std::move(flags), "127.0.0.1:0");
    ASSERT_TRUE(server_->WaitUntilReady(kLimit)) << server_->problem();
    stub_ = Reservations::NewStub(NewChannel(server_->address()));
  }

  Ended Client(std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"--address", server_->address()});
    return RunProgram(kBuild / "client", std::move(arguments));
  }

  grpc::Status Reserve(grpc::ClientContext& context, const std::string& seat,
                       const std::string& name, ReserveResponse& response) {
    context.set_deadline(system_clock::now() + kLimit);
    ReserveRequest request;
    request.set_seat(seat);
    request.set_name(name);
    return stub_->Reserve(&context, request, &response);
  }

  std::optional<Exit> StopServer(int signal = SIGTERM) {
    stub_.reset();  // a connection can cost the server its whole grace
    server_->process().Signal(signal);
    return server_->process().WaitForExit(kLimit);
  }

  std::unique_ptr<ServerProcess> server_;
  std::unique_ptr<Reservations::Stub> stub_;
};

TEST_F(PairTest, ShowsEverythingOnce) {
  StartServer();
  const Ended run = Client({});
  EXPECT_EQ(run.exit, (Exit{0, 0})) << run.err;
  EXPECT_EQ(std::regex_replace(run.out, std::regex("20[0-9T:.-]+Z"), "TIME"),
            "12A  Ada  held until TIME\n"
            "12B  Grace  held until TIME\n"
            "12A  Ada  confirmed\n"
            "all reservations:\n"
            "12A  Ada  confirmed\n"
            "12B  Grace  held until TIME\n");
  EXPECT_EQ(StopServer(), (Exit{0, 0}));
  EXPECT_EQ(server_->process().Stderr(),
            "Reserve OK\nReserve ALREADY_EXISTS\nReserve OK\nConfirm OK\n"
            "List OK\n");
}

TEST_F(PairTest, CanBeAskedTheSameAgain) {
  StartServer();
  EXPECT_EQ(Client({}).exit, (Exit{0, 0}));
  const Ended run = Client({});
  EXPECT_EQ(run.exit, (Exit{0, 0})) << run.err;
  EXPECT_THAT(run.out, StartsWith("12A  Ada  confirmed\n"));
}

TEST_F(PairTest, GivesASeatToOneOnly) {
  StartServer();
  EXPECT_EQ(Client({"reserve", "Ada", "12A"}).exit, (Exit{0, 0}));
  const Ended run = Client({"reserve", "Grace", "12A"});
  EXPECT_EQ(run.exit, (Exit{1, 0}));
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_EQ(run.err, "ALREADY_EXISTS: all these seats are taken\n");
}

TEST_F(PairTest, SaysUntilWhenATakenSeatIsHeld) {
  StartServer();
  ReserveResponse response;
  grpc::ClientContext ada, grace;
  EXPECT_TRUE(Reserve(ada, "12A", "Ada", response).ok());
  EXPECT_EQ(Reserve(grace, "12A", "Grace", response).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(grace.GetServerTrailingMetadata(), Contains(Key("held-until")));
}

TEST_F(PairTest, FreesASeatThatIsNotConfirmedInTime) {
  StartServer({"--hold", "0"});
  EXPECT_EQ(Client({"reserve", "Ada", "12A"}).exit, (Exit{0, 0}));
  const Ended run = Client({"confirm", "Ada", "12A"});
  EXPECT_EQ(run.exit, (Exit{1, 0}));
  EXPECT_EQ(run.err, "NOT_FOUND: seat is not held under this name\n");
  EXPECT_THAT(Client({"list"}).out, IsEmpty());
}

TEST_F(PairTest, RefusesAnEmptyName) {
  StartServer();
  EXPECT_EQ(Client({"reserve", "", "12A"}).err,
            "INVALID_ARGUMENT: name is empty\n");
  EXPECT_EQ(Client({"confirm", "Ada", ""}).err,
            "INVALID_ARGUMENT: seat is empty\n");
}

TEST_F(PairTest, CutsALongNameBetweenCharacters) {
  StartServer();
  EXPECT_THAT(Client({"reserve", "Anna-Katharina Größmann", "12A"}).out,
              StartsWith("12A  Anna-Katharina Grö  held"));
  EXPECT_EQ(Client({"confirm", "Anna-Katharina Größmann", "12A"}).out,
            "12A  Anna-Katharina Grö  confirmed\n");
}

TEST_F(PairTest, StopsOnEachSignal) {
  for (const int signal : {SIGINT, SIGTERM}) {
    StartServer();
    EXPECT_EQ(Client({}).exit, (Exit{0, 0}));
    EXPECT_EQ(StopServer(signal), (Exit{0, 0}));
  }
}

TEST_F(PairTest, ReportsThatNobodyListens) {
  StartServer();
  EXPECT_EQ(StopServer(), (Exit{0, 0}));
  const Ended run = Client({});
  EXPECT_EQ(run.exit, (Exit{1, 0}));
  EXPECT_THAT(run.err, StartsWith("UNAVAILABLE: "));
}

TEST_F(PairTest, GivesUpOnAServerThatDoesNotAnswer) {
  StartServer();
  server_->process().Signal(SIGSTOP);
  const Ended run = Client({"--timeout", "1"});
  EXPECT_EQ(run.exit, (Exit{1, 0}));
  EXPECT_THAT(run.err, StartsWith("DEADLINE_EXCEEDED: "));
}

TEST_F(PairTest, SaysThatItCannotListen) {
  StartServer();
  const Ended second =
      RunProgram(kBuild / "server", {"--address", server_->address()});
  EXPECT_EQ(second.exit, (Exit{1, 0}));
  EXPECT_THAT(second.err, HasSubstr("cannot listen on "));
}

TEST_F(PairTest, RejectsBadUsage) {
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--hold", "-1"}, {"--hold", "nan"}, {"x"}}) {
    EXPECT_EQ(RunProgram(kBuild / "server", flags).exit, (Exit{2, 0}));
  }
  for (const std::vector<std::string>& flags :
       {std::vector<std::string>{"--timeout", "0"},
        {"reserve"},
        {"reserve", "Ada"},
        {"confirm", "Ada", "12A", "12B"},
        {"x"}}) {
    EXPECT_EQ(RunProgram(kBuild / "client", flags).exit, (Exit{2, 0}));
  }
}

// --- The lesson's tests and the bugs.

TEST(BugsTest, TheReadmeHasTheTable) {
  const Ended run = RunProgram(kLesson / "find_bugs", {kBuild.string()});
  ASSERT_EQ(run.exit, (Exit{0, 0})) << run.err;
  EXPECT_THAT(ReadFile(kLesson / "README.md"), HasSubstr("\n" + run.out + "\n"))
      << "this is what the tests find:\n"
      << run.out;
}

// The name of the test that a patch says must catch it.
std::string CaughtBy(const fs::path& patch) {
  std::smatch match;
  const std::string text = ReadFile(patch);
  EXPECT_TRUE(
      std::regex_search(text, match, std::regex("\nCaught-by: (\\S+)\n")));
  return match[1];
}

// The table says that some test finds it; without this one, none does.
TEST(BugsTest, EachIsFoundByOneTestOfAll) {
  std::vector<fs::path> patches;
  for (const auto& entry : fs::directory_iterator(kLesson / "bugs")) {
    patches.push_back(entry.path());
  }
  EXPECT_THAT(patches, SizeIs(3));
  for (const fs::path& patch : patches) {
    for (const char* const kind :
         {"unit_test", "client_test", "integration_test"}) {
      const Ended run = RunProgram(kBuild / "bugs" / patch.stem() / kind,
                                   {"--gtest_filter=-" + CaughtBy(patch)});
      EXPECT_EQ(run.exit, (Exit{0, 0})) << patch << ":\n" << run.out;
    }
  }
}

TEST(BugsTest, ABrokenStringIsReportedAsAMissingMessage) {
  const Ended run =
      RunProgram(kBuild / "bugs/3_half_a_character/integration_test",
                 {"--gtest_filter=PortTest.CutsALongName"});
  EXPECT_THAT(run.out, HasSubstr("UNIMPLEMENTED: No message returned for "
                                 "unary request"));
  EXPECT_THAT(run.err, HasSubstr("contains invalid UTF-8 data"));
}

// --- The traps.

Ended FallInto(const std::string& trap) {
  return RunProgram(kBuild / "traps_test",
                    {"--gtest_also_run_disabled_tests", "--gtest_brief=1",
                     "--gtest_filter=*." + ("DISABLED_" + trap)});
}

void ExpectKilled(const Ended& run, int signal) {
  // A sanitizer reports the same and exits.
  if (kSanitized) {
    EXPECT_NE(run.exit, (Exit{0, 0}));
  } else {
    EXPECT_EQ(run.exit, (Exit{0, signal})) << Describe(run.exit);
  }
}

TEST(TrapsTest, AMockSaysOkIfNobodyToldItWhatToSay) {
  const Ended run = FallInto("ForgottenExpectation");
  EXPECT_EQ(run.exit, (Exit{0, 0}));
  EXPECT_THAT(run.out, HasSubstr("Uninteresting mock function call"));
  EXPECT_THAT(run.out, HasSubstr("PASSED  ] 1 test"));
}

TEST(TrapsTest, AMockHasNoReaderIfNobodyGaveItOne) {
  const Ended run = FallInto("ForgottenReader");
  EXPECT_THAT(run.out, HasSubstr("Returns: NULL"));
  ExpectKilled(run, SIGSEGV);
}

TEST(TrapsTest, AMockTakesAContextTwiceAndARealStubDoesNot) {
  EXPECT_EQ(FallInto("UsedContextOnAMock").exit, (Exit{0, 0}));
  const Ended run = FallInto("UsedContext");
  EXPECT_THAT(run.err, HasSubstr("assertion failed: call_ == nullptr"));
  ExpectKilled(run, SIGABRT);
}

TEST(TrapsTest, AContextWithoutACallCannotBeCancelled) {
  ExpectKilled(FallInto("CancelledByHand"), SIGSEGV);
}

TEST(TrapsTest, TwoTestsShareAFixedPort) {
  const Ended run = FallInto("FixedPort");
  EXPECT_EQ(run.exit, (Exit{1, 0}));
  EXPECT_THAT(run.out, HasSubstr("two servers on one port"));
}

TEST(TrapsTest, AStoppedServerIsUnavailableButInProcessACrash) {
  EXPECT_EQ(FallInto("StoppedServer").exit, (Exit{0, 0}));
  ExpectKilled(FallInto("StoppedServerInProcess"), SIGSEGV);
}

}  // namespace
}  // namespace workshop::testing
