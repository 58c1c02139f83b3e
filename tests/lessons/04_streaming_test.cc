// Runs the programs of lesson 04 and proves what its README says of them.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/server_process.h"
#include "workshop/streams/v1/streams.grpc.pb.h"

namespace workshop::testing {
namespace {

using grpc::StatusCode;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::system_clock;
using streams::v1::ChatRequest;
using streams::v1::ChatResponse;
using streams::v1::GetDataStreamRequest;
using streams::v1::GetDataStreamResponse;
using streams::v1::GetStatisticsRequest;
using streams::v1::GetStatisticsResponse;
using streams::v1::Streams;
using streams::v1::UploadFileRequest;
using streams::v1::UploadFileResponse;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Lt;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;

// What a busy machine may need for what takes milliseconds.
constexpr seconds kLimit{30};

constexpr char kServer[] = WORKSHOP_BUILD_DIR "/lessons/04_streaming/server";
constexpr char kClient[] = WORKSHOP_BUILD_DIR "/lessons/04_streaming/client";

// How much memory may grow, in MiB, that is said to stay flat while 256 MiB are
// sent. A sanitizer keeps for a while what has been freed.
#ifdef WORKSHOP_SANITIZED
constexpr int kFlat = 800;
#else
constexpr int kFlat = 32;
#endif

using Arguments = std::vector<std::string>;

class StreamingTest : public ::testing::Test {
 protected:
  // The client, started with `arguments`.
  struct Client {
    explicit Client(Arguments command) : process(std::move(command)) {}

    // Waits for its end. A client that does not end has status -1.
    void Wait() {
      exit = process.WaitForExit(kLimit).value_or(Exit{.status = -1});
      out = process.Stdout();
      err = process.Stderr();
    }

    Process process;
    Exit exit;
    std::string out;
    std::string err;
  };

  void StartServer(Arguments flags = {}) {
    flags.insert(flags.begin(), kServer);
    server_.emplace(flags, "127.0.0.1:0");
    if (!server_->WaitUntilReady(kLimit)) {
      throw std::runtime_error("the server: " + server_->problem());
    }
    stub_ = Streams::NewStub(NewChannel(server_->address()));
  }

  std::unique_ptr<Client> Start(Arguments arguments) {
    arguments.insert(arguments.begin(),
                     {kClient, "--address", server_->address()});
    return std::make_unique<Client>(arguments);
  }

  std::unique_ptr<Client> Run(Arguments arguments) {
    auto client = Start(std::move(arguments));
    client->Wait();
    return client;
  }

  bool WaitForLog(const std::string& text, int count = 1) {
    return server_->process().WaitForLog(text, kLimit, count);
  }

  std::optional<Exit> StopServer() {
    server_->process().Signal(SIGTERM);
    return server_->process().WaitForExit(kLimit);
  }

  // Calls UploadFile with `requests` and half-closes.
  grpc::Status Upload(const std::vector<UploadFileRequest>& requests,
                      UploadFileResponse* response) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kLimit);
    const auto writer = stub_->UploadFile(&context, response);
    for (const UploadFileRequest& request : requests) writer->Write(request);
    writer->WritesDone();
    return writer->Finish();
  }

  std::int64_t DataMessagesWritten() {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kLimit);
    GetStatisticsResponse response;
    const grpc::Status status =
        stub_->GetStatistics(&context, GetStatisticsRequest(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.data_messages_written();
  }

  std::optional<ServerProcess> server_;
  std::unique_ptr<Streams::Stub> stub_;
};

// The numbers behind "about" in `text`.
std::vector<std::int64_t> Measured(const std::string& text) {
  static const std::regex kAbout("about (-?[0-9]+)");
  std::vector<std::int64_t> numbers;
  for (std::sregex_iterator it(text.begin(), text.end(), kAbout), end;
       it != end; ++it) {
    numbers.push_back(std::stoll((*it)[1]));
  }
  return numbers;
}

UploadFileRequest Chunk(const std::string& chunk) {
  UploadFileRequest request;
  request.set_chunk(chunk);
  return request;
}

UploadFileRequest TotalSize(std::int64_t size) {
  UploadFileRequest request;
  request.set_total_size(size);
  return request;
}

TEST_F(StreamingTest, TheClientAloneMakesOneCallOfEachKind) {
  StartServer();
  const auto client = Run({});
  EXPECT_EQ(client->exit, Exit{}) << client->err;
  EXPECT_THAT(client->out,
              MatchesRegex("data: read 5 messages\n"
                           "upload: upload-1, 1048576 bytes in 16 chunks\n"
                           "chat: hello\n"
                           "chat: how are you\n"
                           "chat: goodbye after 2 texts\n"));
  EXPECT_THAT(client->err, IsEmpty());
  EXPECT_TRUE(WaitForLog("GetDataStream: all written"));
  EXPECT_TRUE(WaitForLog("UploadFile: half-closed, kept upload-1"));
  EXPECT_TRUE(WaitForLog("Chat: half-closed"));
  EXPECT_EQ(StopServer(), Exit{});
}

TEST_F(StreamingTest, RequestsAreValidated) {
  StartServer();
  auto client = Run({"data", "--count", "0"});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_EQ(client->err, "INVALID_ARGUMENT: count: not from 1 to 1000000\n");
  client = Run({"chat", "--say", "hello", "", "again"});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_EQ(client->err, "INVALID_ARGUMENT: text: empty\n");
  for (const Arguments& wrong :
       {Arguments{"sing"}, {"--timeout", "nan"}, {"upload", "--chunk", "0"}}) {
    client = Run(wrong);
    EXPECT_EQ(client->exit, Exit{.status = 2}) << wrong.front();
    EXPECT_THAT(client->err, Not(IsEmpty()));
  }

  for (const int payload_bytes : {-1, (1 << 20) + 1}) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kLimit);
    GetDataStreamRequest request;
    request.set_count(1);
    request.set_payload_bytes(payload_bytes);
    const auto reader = stub_->GetDataStream(&context, request);
    GetDataStreamResponse response;
    EXPECT_FALSE(reader->Read(&response));
    EXPECT_EQ(reader->Finish().error_code(), StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(StreamingTest, AnUploadIsKeptOnlyWithItsTotalSize) {
  StartServer();
  UploadFileResponse response;
  EXPECT_TRUE(Upload({TotalSize(0)}, &response).ok());
  EXPECT_EQ(response.id(), "upload-1");
  EXPECT_TRUE(
      Upload({Chunk("abc"), Chunk("de"), TotalSize(5)}, &response).ok());
  EXPECT_EQ(response.id(), "upload-2");
  EXPECT_EQ(response.size(), 5);
  EXPECT_EQ(response.chunks(), 2);
  EXPECT_EQ(Upload({}, &response).error_code(), StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Upload({Chunk("abc")}, &response).error_code(),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Upload({TotalSize(3), Chunk("abc")}, &response).error_code(),
            StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Upload({Chunk("abc"), TotalSize(4)}, &response).error_code(),
            StatusCode::DATA_LOSS);
  EXPECT_TRUE(Upload({Chunk("abc"), TotalSize(3)}, &response).ok());
  EXPECT_EQ(response.id(), "upload-3");
}

TEST_F(StreamingTest, BothSidesSeeACancelledDataStream) {
  StartServer();
  const auto client =
      Run({"data", "--count", "1000000", "--cancel-after", "3"});
  EXPECT_EQ(client->out, "data: read 3 messages\n");
  EXPECT_EQ(client->err, "CANCELLED: CANCELLED\n");
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_TRUE(WaitForLog("GetDataStream: cancelled"));
  EXPECT_LT(DataMessagesWritten(), 1'000'000);
}

TEST_F(StreamingTest, BothSidesSeeACancelledUpload) {
  StartServer();
  const auto client = Run({"upload", "--cancel-after", "3"});
  EXPECT_THAT(client->out,
              StartsWith("upload: ended before all was written\n"));
  EXPECT_EQ(client->err, "CANCELLED: CANCELLED\n");
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_TRUE(WaitForLog("UploadFile: incomplete, nothing kept"));
}

TEST_F(StreamingTest, BothSidesSeeACancelledChat) {
  StartServer();
  const auto client = Run({"chat", "--say", "hello", "--cancel-after", "1"});
  EXPECT_EQ(client->err, "CANCELLED: CANCELLED\n");
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_TRUE(WaitForLog("Chat: cancelled"));
}

// Cancelled in every phase, among others while the server reads.
TEST_F(StreamingTest, ACancelledUploadIsNeverKept) {
  StartServer();
  for (int i = 0; i < 300; ++i) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kLimit);
    UploadFileResponse response;
    const auto writer = stub_->UploadFile(&context, &response);
    for (int chunk = 0; chunk <= i % 3; ++chunk) {
      writer->Write(Chunk(std::string(i % 2 == 0 ? 100 : 60'000, 'x')));
    }
    context.TryCancel();
    EXPECT_EQ(writer->Finish().error_code(), StatusCode::CANCELLED);
  }
  UploadFileResponse response;
  EXPECT_TRUE(Upload({TotalSize(0)}, &response).ok());
  EXPECT_EQ(response.id(), "upload-1");
}

TEST_F(StreamingTest, AnUploadThatTrustsReadIsKeptThoughCancelled) {
  StartServer({"--trust-read"});
  const auto client = Run({"upload", "--cancel-after", "3"});
  EXPECT_EQ(client->err, "CANCELLED: CANCELLED\n");
  EXPECT_TRUE(WaitForLog("UploadFile: half-closed, kept upload-1"));
}

TEST_F(StreamingTest, TheServerSeesThatAClientWasKilled) {
  StartServer();
  const auto reader = Start({"stop-reading", "--timeout", "3600"});
  const auto chat = Start({"chat", "--timeout", "3600", "--heartbeats", "1"});
  EXPECT_TRUE(chat->process.WaitForLine("chat: how are you", kLimit));
  const auto give_up = system_clock::now() + kLimit;
  while (DataMessagesWritten() == 0 && system_clock::now() < give_up) continue;
  reader->process.Kill();
  chat->process.Kill();
  EXPECT_TRUE(WaitForLog("GetDataStream: cancelled"));
  EXPECT_TRUE(WaitForLog("Chat: cancelled"));
}

// Flow control: the writer gets ahead of the reader by what fits the windows
// and buffers between them, wherever the reader stops.
TEST_F(StreamingTest, AReaderThatStopsStopsTheWriter) {
  static const std::regex kNumbers(
      "stop-reading: of 1000000 messages (\\d+) were read, and about (\\d+) "
      "written\n");
  StartServer();
  for (const char* count : {"0", "1000"}) {
    for (const bool fixed_window : {false, true}) {
      Arguments arguments = {"stop-reading", "--count", count, "--timeout",
                             "0.7"};
      if (fixed_window) arguments.push_back("--fixed-window");
      const auto client = Run(arguments);
      EXPECT_EQ(client->exit, Exit{.status = 1});
      EXPECT_EQ(client->err, "DEADLINE_EXCEEDED: Deadline Exceeded\n");
      std::smatch numbers;
      ASSERT_TRUE(std::regex_match(client->out, numbers, kNumbers))
          << client->out;
      const int read = std::stoi(numbers[1]);
      const int written = std::stoi(numbers[2]);
      EXPECT_GE(written, read);
      // Of 64 KiB each. Measured: at most 1, and 60 to 230.
      EXPECT_LE(written, read + (fixed_window ? 10 : 10'000));
    }
  }
  EXPECT_TRUE(WaitForLog("GetDataStream: cancelled", 4));
}

TEST_F(StreamingTest, TheServerMayWriteAfterTheClientsHalfClose) {
  StartServer();
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + kLimit);
  const auto stream = stub_->Chat(&context);
  EXPECT_TRUE(stream->WritesDone());
  ChatResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_TRUE(response.has_goodbye());
  EXPECT_EQ(response.goodbye().texts(), 0);
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(StreamingTest, WithoutHalfCloseBothSidesWait) {
  StartServer();
  const auto client = Run({"no-writes-done", "--timeout", "0.5"});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_EQ(client->err, "DEADLINE_EXCEEDED: Deadline Exceeded\n");
}

TEST_F(StreamingTest, TheServerMayEndWhileTheClientWrites) {
  StartServer({"--max-upload", "1000000"});
  auto client = Run({"upload", "--size", "1000000000"});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_EQ(client->err,
            "RESOURCE_EXHAUSTED: file: larger than 1000000 bytes\n");
  EXPECT_THAT(client->out,
              StartsWith("upload: ended before all was written\n"));
  EXPECT_TRUE(WaitForLog("UploadFile: refused before its end"));

  client = Run({"ignore-write"});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_EQ(client->err,
            "RESOURCE_EXHAUSTED: file: larger than 1000000 bytes\n");
  EXPECT_THAT(Measured(client->out), ElementsAre(AllOf(Ge(1), Le(9'985))));
}

TEST_F(StreamingTest, ALargeFileInChunksTakesLittleMemory) {
  StartServer({"--fixed-window"});
  const auto client =
      Run({"upload", "--memory", "--size", "268435456", "--timeout", "30"});
  EXPECT_EQ(client->exit, Exit{}) << client->err;
  EXPECT_THAT(client->out, HasSubstr("268435456 bytes in 4096 chunks"));
  EXPECT_THAT(Measured(client->out), ElementsAre(Le(kFlat), Le(kFlat)));
}

TEST_F(StreamingTest, AFileInOneMessageTakesMoreThanItsSize) {
  StartServer({"--max-message", "100000000"});
  const auto client =
      Run({"upload", "--memory", "--size", "67108864", "--chunk", "67108864"});
  EXPECT_EQ(client->exit, Exit{}) << client->err;
  EXPECT_THAT(client->out, HasSubstr("67108864 bytes in 1 chunks"));
  EXPECT_THAT(Measured(client->out), ElementsAre(Ge(64), Ge(64)));
}

TEST_F(StreamingTest, AMessageMayHave4MiB) {
  StartServer();
  auto client = Run({"upload", "--size", "5242880", "--chunk", "5242880"});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_EQ(client->err,
            "RESOURCE_EXHAUSTED: Received message larger than max "
            "(5242885 vs. 4194304)\n");
  EXPECT_TRUE(WaitForLog("UploadFile: incomplete, nothing kept"));
  // The same file in two messages. The key and the length need 5 bytes.
  client = Run({"upload", "--size", "5242880", "--chunk", "4194299"});
  EXPECT_EQ(client->exit, Exit{}) << client->err;
  EXPECT_THAT(client->out, HasSubstr("upload-1, 5242880 bytes in 2 chunks"));
}

TEST_F(StreamingTest, BothDirectionsAtOnceNeedTwoThreads) {
  StartServer();
  auto client = Run({"flood"});
  EXPECT_EQ(client->exit, Exit{}) << client->err;
  EXPECT_EQ(client->out, "flood: 1000 of 1000 texts came back\n");

  client = Run({"one-thread", "--timeout", "1"});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_EQ(client->err, "DEADLINE_EXCEEDED: Deadline Exceeded\n");
  EXPECT_THAT(Measured(client->out), ElementsAre(Lt(1000)));
  EXPECT_TRUE(WaitForLog("Chat: cancelled"));
}

TEST_F(StreamingTest, TwoWritesAtOnceAbort) {
  StartServer();
  const auto client = Run({"two-writers"});
  EXPECT_EQ(client->exit.signal, SIGABRT);
  EXPECT_THAT(client->err,
              HasSubstr("API misuse of type "
                        "GRPC_CALL_ERROR_TOO_MANY_OPERATIONS observed"));
  EXPECT_TRUE(WaitForLog("Chat: cancelled"));
}

TEST_F(StreamingTest, AnOpenCallCostsAThread) {
  StartServer();
  auto client = Run({"threads", "--timeout", "30"});
  EXPECT_EQ(client->exit, Exit{}) << client->err;
  EXPECT_THAT(Measured(client->out), ElementsAre(AllOf(Ge(95), Le(110))));
}

TEST_F(StreamingTest, AnOpenCallWithHeartbeatsCostsTwo) {
  StartServer({"--heartbeat", "60"});
  auto client = Run({"threads", "--timeout", "30"});
  EXPECT_EQ(client->exit, Exit{}) << client->err;
  EXPECT_THAT(Measured(client->out), ElementsAre(AllOf(Ge(190), Le(210))));
}

TEST_F(StreamingTest, AQuietChatHasHeartbeats) {
  StartServer({"--heartbeat", "0.05"});
  auto client = Run({"chat", "--heartbeats", "3"});
  EXPECT_EQ(client->exit, Exit{}) << client->err;
  for (const char* line : {"heartbeat 1", "heartbeat 2", "heartbeat 3"}) {
    EXPECT_THAT(client->out, HasSubstr(std::string("chat: ") + line + "\n"));
  }
  EXPECT_THAT(client->out, EndsWith("chat: goodbye after 2 texts\n"));

  // They do not prolong the deadline, which is the whole call's.
  client = Run({"chat", "--heartbeats", "1000000", "--timeout", "0.5"});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_EQ(client->err, "DEADLINE_EXCEEDED: Deadline Exceeded\n");
}

TEST_F(StreamingTest, NoHeartbeatFollowsTheGoodbye) {
  StartServer({"--heartbeat", "0.001"});
  for (int i = 0; i < 200; ++i) {
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + kLimit);
    const auto stream = stub_->Chat(&context);
    ChatResponse response;
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_TRUE(response.has_heartbeat());
    EXPECT_TRUE(stream->WritesDone());
    while (stream->Read(&response)) continue;
    EXPECT_TRUE(response.has_goodbye());
    EXPECT_TRUE(stream->Finish().ok());
  }
}

TEST_F(StreamingTest, AStoppedServerEndsItsCalls) {
  StartServer({"--heartbeat", "0.05"});
  const auto client =
      Start({"chat", "--heartbeats", "1000000", "--timeout", "3600"});
  EXPECT_TRUE(client->process.WaitForLine("chat: heartbeat 1", kLimit));
  EXPECT_EQ(StopServer(), Exit{});
  client->Wait();
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_THAT(client->err, MatchesRegex("(CANCELLED|UNAVAILABLE): .*\n"));
  EXPECT_TRUE(WaitForLog("Chat: cancelled"));
}

TEST_F(StreamingTest, AClientWithoutServerSaysSo) {
  StartServer();
  EXPECT_EQ(StopServer(), Exit{});
  const auto client = Run({});
  EXPECT_EQ(client->exit, Exit{.status = 1});
  EXPECT_THAT(client->err, StartsWith("UNAVAILABLE: "));
}

}  // namespace
}  // namespace workshop::testing
