// The fixture of the graded suites: starts the learner's programs, calls them,
// and writes down everything that a learner needs to understand a failure.

#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/conversation.h"
#include "tests/support/process.h"
#include "tests/support/sanitizer_report.h"
#include "tests/support/server_process.h"
#include "tests/support/suite.h"

namespace workshop::testing {

// A call and what came back.
template <class Response>
struct Outcome {
  std::string sent;
  grpc::Status status;
  Response response;
};

// "a: 7, b: 0": unlike protobuf's own text in one line, with the fields that
// are zero, since a zero is often what matters, times as people write them, and
// without the middle of a long text.
std::string TextOf(const google::protobuf::Message& message);

// "2.5 s".
std::string Seconds(std::chrono::milliseconds time);

// A run of a learner's client and what it printed.
struct ClientRun {
  std::string sent;
  std::optional<Exit> exit;  // none: it had to be killed
  std::string out;
  std::string err;
  std::chrono::milliseconds took{};
};

class ExerciseTest : public ::testing::Test {
 protected:
  ExerciseTest();

  // Checks that the server, if one was started, is still alive; and that a
  // sanitizer, if one was built into it, has found nothing.
  void TearDown() override;

  // --- What a learner is told if the test fails.

  // The promise of the contract that the test is about, as a sentence.
  void Promises(std::string sentence) { promise_ = std::move(sentence); }
  // Where it is explained: "lessons/02_errors/README.md#which-code-when".
  // Without it: where the task says.
  void Read(std::string where) { read_ = std::move(where); }
  // What usually causes a failure, by what came back; a later call replaces an
  // earlier one. Without one, a general cause for the code, if there is any.
  void Usually(std::string cause) { usual_cause_ = std::move(cause); }
  void UsuallyIf(grpc::StatusCode came_back, std::string cause) {
    cause_by_code_[came_back] = std::move(cause);
  }
  void UsuallyIfKilledBy(int signal, std::string cause) {
    cause_by_signal_[signal] = std::move(cause);
  }

  // --- The learner's server.

  // Starts a fresh server with `flags` and waits until it is ready.
  void StartServer(std::vector<std::string> flags = {});
  // Tells the server to stop by SIGTERM and fails the test unless it ends by
  // itself, in time, with status 0.
  void ExpectServerStops();
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }
  ServerProcess& server() { return *server_; }

  // Metadata that calls send from now on, instead of what they sent before.
  using Metadata = std::vector<std::pair<std::string, std::string>>;
  void SendMetadata(Metadata metadata) { metadata_ = std::move(metadata); }

  // A call as a learner is told it: "Divide(a: 7, b: 0), deadline 5 s".
  std::string DescribeCall(const std::string& name,
                           const google::protobuf::Message& request,
                           std::chrono::milliseconds limit) const;

  // Calls `method` of `stub` with a deadline. `name` is how a learner knows
  // the call: "Divide".
  template <class Stub, class Request, class Response>
  Outcome<Response> Call(const std::string& name, Stub& stub,
                         grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                      const Request&,
                                                      Response*),
                         const Request& request) {
    const std::chrono::milliseconds limit = Patience(kCallLimit);
    Outcome<Response> outcome;
    outcome.sent = DescribeCall(name, request, limit);
    grpc::ClientContext context;
    for (const auto& [key, value] : metadata_) context.AddMetadata(key, value);
    context.set_deadline(std::chrono::system_clock::now() + limit);
    outcome.status = (stub.*method)(&context, request, &outcome.response);
    return outcome;
  }

  // The call succeeded and brought back `expected`.
  template <class Response>
  void ExpectResponse(const Outcome<Response>& outcome,
                      const Response& expected) {
    CheckResponse(outcome.sent, outcome.status, outcome.response, expected);
  }

  // The call succeeded, and `holds` says whether what it brought back is right.
  template <class Response>
  void ExpectOf(const Outcome<Response>& outcome, bool holds) {
    if (outcome.status.ok() && holds) return;
    FailCall(outcome.sent, outcome.status, outcome.response);
  }

  // The call was refused with `code` and a message that says something and
  // contains `mentions` as a word.
  template <class Response>
  void ExpectRefusal(const Outcome<Response>& outcome, grpc::StatusCode code,
                     const std::string& mentions = "") {
    CheckRefusal(outcome.sent, outcome.status, outcome.response, code,
                 mentions);
  }

  // --- Conversations with the learner's server.

  // Says what the test does, in a line: "anna says \"hello\"". All of these are
  // what was sent, if a conversation fails.
  void Did(std::string step) { did_.push_back(std::move(step)); }

  // The next message of a conversation, which must come in time.
  template <class Request, class Response>
  Response Next(Conversation<Request, Response>& conversation) {
    const std::chrono::milliseconds limit = Patience(kCallLimit);
    std::optional<Response> response = conversation.Next(limit);
    if (!response) {
      const std::optional<grpc::Status> status = conversation.status();
      FailConversation(conversation, DescribeEnd(status, limit), !status);
    }
    return *std::move(response);
  }

  // The conversation ends, in time, with one of `codes`, and unless that is OK
  // with a message that says something and contains `mentions` as a word.
  // Messages that have not been taken do not matter.
  template <class Request, class Response>
  void ExpectEnd(Conversation<Request, Response>& conversation,
                 const std::set<grpc::StatusCode>& codes,
                 const std::string& mentions = "") {
    const std::chrono::milliseconds limit = Patience(kCallLimit);
    const std::optional<grpc::Status> status = conversation.End(limit);
    if (!status || !codes.contains(status->error_code())) {
      FailConversation(conversation, DescribeEnd(status, limit), !status);
    }
    if (status->ok()) return;
    CheckMessage(did_, *status, mentions);
  }

  // Fails the test since `what` is wrong with a conversation: "nothing
  // came". The messages that were taken last are told too.
  template <class Request, class Response>
  [[noreturn]] void FailConversation(
      Conversation<Request, Response>& conversation, const std::string& what,
      bool too_slow = false) {
    std::vector<std::string> heard;
    for (const Response& response : conversation.taken()) {
      heard.push_back(TextOf(response));
    }
    FailConversation(conversation.who(), heard, what, conversation.status(),
                     too_slow);
  }

  // --- The learner's client.

  // Runs the client with `arguments`, for at most `limit`. `scene` says what it
  // will meet: "the server answers NOT_FOUND". If all may take longer than
  // usual, so may the client, by its --timeout; unless `arguments` give one.
  ClientRun RunClient(std::vector<std::string> arguments,
                      const std::string& scene,
                      std::chrono::milliseconds limit = kCallLimit);

  // The same in two steps, for a test that talks with the client meanwhile, by
  // client().Write() and WaitForLine(). Its stdin stays open.
  void StartClient(std::vector<std::string> arguments,
                   const std::string& scene);
  Process& client() { return *client_; }
  ClientRun EndOfClient(std::chrono::milliseconds limit = kCallLimit);

  // Fails the test unless `holds`, with the whole run as what came back.
  void ExpectOf(const ClientRun& run, bool holds);

  // The client was run with `--timeout`, and called with that as its deadline:
  // `left` is how far off it was when the call came. (How long the client took
  // tells nothing: that depends on how busy the machine is.)
  void ExpectDeadline(const ClientRun& run, std::chrono::milliseconds timeout,
                      std::chrono::duration<double> left);

  // --- Any other program of the learner's.

  // The path of a program; fails the test if it could not be built.
  std::string Program(const std::string& name);
  // How such a program is run: in the test's folder, with limited memory.
  Process::Options LearnerOptions() const;

  // --- Everything else.

  // A random number from `low` to `high`, both possible.
  std::int64_t Random(std::int64_t low, std::int64_t high);
  // `length` random letters and digits behind `begin`.
  std::string Word(std::string begin, int length);
  // `count` random bytes.
  std::string Bytes(std::int64_t count);

  // Fails the test now.
  [[noreturn]] void Fail(std::vector<std::string> sent,
                         std::vector<std::string> came_back);
  // The same with another verdict than FAIL. `status` is what the failing call
  // came back with.
  [[noreturn]] void Fail(workshop::grader::v1::Verdict verdict,
                         std::vector<std::string> sent,
                         std::vector<std::string> came_back,
                         const grpc::Status* status = nullptr);

 private:
  [[noreturn]] void FailConversation(const std::string& who,
                                     const std::vector<std::string>& heard,
                                     const std::string& what,
                                     const std::optional<grpc::Status>& status,
                                     bool too_slow);
  static std::string DescribeEnd(const std::optional<grpc::Status>& status,
                                 std::chrono::milliseconds limit);
  // The message of a refusal says something and contains `mentions`.
  void CheckMessage(const std::vector<std::string>& sent,
                    const grpc::Status& status, const std::string& mentions);
  // How the server has ended, if it has. One that dies breaks the calls first.
  std::optional<Exit> EndOfServer(const std::optional<grpc::Status>& status);
  void StartClient(std::vector<std::string> arguments, const std::string& scene,
                   Process::Options options);
  void CheckResponse(const std::string& sent, const grpc::Status& status,
                     const google::protobuf::Message& response,
                     const google::protobuf::Message& expected);
  void CheckRefusal(const std::string& sent, const grpc::Status& status,
                    const google::protobuf::Message& response,
                    grpc::StatusCode code, const std::string& mentions);
  // Fails the test because of what a call came back with; looks first whether
  // the server has died of it.
  [[noreturn]] void FailCall(const std::string& sent,
                             const grpc::Status& status,
                             const google::protobuf::Message& response);
  std::optional<FoundReport> FoundBySanitizer() const;
  // Fails the test if a sanitizer has found something in a program of the
  // learner's. `sent` is what has been done to it.
  void ExpectNoSanitizerReport(std::vector<std::string> sent);

  TempDir directory_;
  std::mt19937_64 random_;
  std::string promise_;
  std::string read_;
  std::string usual_cause_;
  std::map<int, std::string> cause_by_code_;
  std::map<int, std::string> cause_by_signal_;
  std::vector<std::string> did_;
  std::unique_ptr<ServerProcess> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<Process> client_;
  std::string client_sent_;
  std::chrono::steady_clock::time_point client_start_;
  Metadata metadata_;
};

}  // namespace workshop::testing
