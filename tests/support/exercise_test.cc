#include "tests/support/exercise_test.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/message_differencer.h>
#include <google/protobuf/util/time_util.h>
#include <grpc/grpc.h>
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <string_view>
#include <utility>

#include "lessons/common/program.h"
#include "tests/support/usual_causes.h"

namespace workshop::testing {
namespace {

using google::protobuf::Message;
using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using workshop::grader::v1::CRASH;
using workshop::grader::v1::Explanation;
using workshop::grader::v1::FAIL;
using workshop::grader::v1::TIMEOUT;
using workshop::grader::v1::Verdict;

// The last lines of what a program printed that a learner is shown.
constexpr std::size_t kOutputLines = 8;
constexpr std::size_t kOutputBytes = 2000;

// The flag by which a client is told how long it may wait, and the longest that
// it takes, in seconds.
constexpr char kTimeout[] = "--timeout";
constexpr char kLongestTimeout[] = "86400";

// What a server that broke the connection may still need to end.
constexpr milliseconds kDyingLimit{1000};

std::string LastLines(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  if (text.size() > kOutputBytes) text.erase(0, text.size() - kOutputBytes);
  std::size_t begin = text.size();
  for (std::size_t i = 0; i < kOutputLines && begin != std::string::npos; ++i) {
    begin = begin == 0 ? std::string::npos : text.rfind('\n', begin - 1);
  }
  return begin == std::string::npos ? text : text.substr(begin + 1);
}

std::string PrintedBy(const std::string& program, const Process& process) {
  std::string output = LastLines(process.Stderr());
  if (output.empty()) return "";
  return fmt::format("{} wrote on stderr:\n{}", program, output);
}

// `text` or, if it is long, `size` bytes of its beginning and of its end each.
std::string Shortened(const std::string& text, std::size_t size) {
  if (text.size() <= 5 * size) return text;
  return fmt::format("{}[... {} bytes ...]{}", text.substr(0, size),
                     text.size() - 2 * size, text.substr(text.size() - size));
}

std::string FullTextOf(const Message& message) {
  using google::protobuf::FieldDescriptor;
  const google::protobuf::Descriptor& type = *message.GetDescriptor();
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  std::string text;
  const auto add = [&](const FieldDescriptor& field, int index) {
    if (!text.empty()) text += ", ";
    text += field.name() + ": ";
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
      const Message& inner =
          index < 0 ? reflection.GetMessage(message, &field)
                    : reflection.GetRepeatedMessage(message, &field, index);
      const auto* const time = dynamic_cast<const Timestamp*>(&inner);
      text += time != nullptr ? TimeUtil::ToString(*time)
                              : "{" + FullTextOf(inner) + "}";
    } else {
      std::string value;
      google::protobuf::TextFormat::PrintFieldValueToString(message, &field,
                                                            index, &value);
      text += Shortened(value, 20);
    }
  };
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (field.is_repeated()) {
      for (int j = 0; j < reflection.FieldSize(message, &field); ++j) {
        add(field, j);
      }
    } else if (!field.has_presence() || reflection.HasField(message, &field)) {
      add(field, -1);
    }
  }
  return text;
}

std::string Describe(const grpc::Status& status) {
  if (status.ok()) return "OK";
  if (status.error_message().empty()) {
    return CodeName(status.error_code()) + ", with an empty message";
  }
  return fmt::format("{}: \"{}\"", CodeName(status.error_code()),
                     status.error_message());
}

std::string Describe(const grpc::Status& status, const Message& response) {
  return Describe(status) + (status.ok() ? ", " + TextOf(response) : "");
}

// `text` as a terminal shows it: what follows a carriage return overwrites what
// stood in that line before.
std::string Overwritten(const std::string& text) {
  std::string shown;
  std::size_t line = 0;  // where the last one begins
  for (const char c : text) {
    if (c == '\r') {
      shown.resize(line);
    } else {
      shown += c;
      if (c == '\n') line = shown.size();
    }
  }
  return shown;
}

std::string Quoted(const std::string& what, const std::string& text) {
  const std::string last = LastLines(Overwritten(text));
  return fmt::format("{}: {}", what, last.empty() ? "(nothing)" : last);
}

// Whether `word` stands in `message` with no letter or digit around it. (With
// std::regex, this file would take twice as long to compile.)
bool Mentions(const std::string& message, const std::string& word) {
  if (word.empty()) return true;
  const auto in_word = [&](std::size_t at) {
    return at < message.size() &&
           (std::isalnum(static_cast<unsigned char>(message[at])) != 0 ||
            message[at] == '_');
  };
  for (std::size_t at = message.find(word); at != std::string::npos;
       at = message.find(word, at + 1)) {
    const bool begins = at == 0 || !in_word(at - 1);
    if (begins && !in_word(at + word.size())) return true;
  }
  return false;
}

}  // namespace

std::string TextOf(const Message& message) {
  return Shortened(FullTextOf(message), 80);
}

std::string Seconds(milliseconds time) {
  return fmt::format("{:.3g} s", static_cast<double>(time.count()) / 1000);
}

ExerciseTest::ExerciseTest() {
  const ::testing::TestInfo& test =
      *::testing::UnitTest::GetInstance()->current_test_info();
  const std::string name =
      std::string(test.test_suite_name()) + "." + test.name();
  random_.seed(Settings().seed ^ std::hash<std::string>()(name));
  // For good: after a write that had to wait, the grpc_shutdown() of the last
  // channel takes up to 10 s, and this process ends without one.
  grpc_init();
  // Sockets have names relative to it: an absolute one may be too long.
  std::filesystem::current_path(directory_.path());
}

void ExerciseTest::TearDown() {
  if (server_ == nullptr || HasFailure()) return;
  if (const auto exit = server_->process().WaitForExit(milliseconds(0))) {
    Fail(CRASH, {"nothing more: the calls before were answered as promised"},
         {"the server " + Describe(*exit)});
  }
  if (Settings().sanitized_root.empty()) return;
  // What leaks is known when the server ends. If it does not, that is for
  // another test to say.
  channel_.reset();
  server_->process().Signal(SIGTERM);
  server_->process().WaitForExit(Patience(kCallLimit));
  ExpectNoSanitizerReport({"all that this test has to send"});
}

void ExerciseTest::ExpectNoSanitizerReport(std::vector<std::string> sent) {
  if (FoundBySanitizer()) Fail(FAIL, std::move(sent), {});
}

std::optional<FoundReport> ExerciseTest::FoundBySanitizer() const {
  if (Settings().sanitized_root.empty()) return std::nullopt;
  return FindSanitizerReport(directory_.path(), Settings().sanitized_sources);
}

std::string ExerciseTest::Program(const std::string& name) {
  const auto program = Settings().programs.find(name);
  if (program == Settings().programs.end()) {
    Usually("The compiler's first error above says what to fix.");
    Fail(FAIL, {}, {name + ".cc does not build, so nothing could be started"});
  }
  return program->second;
}

Process::Options ExerciseTest::LearnerOptions() const {
  Process::Options options;
  options.directory = directory_.path();
  options.environment["TMPDIR"] = directory_.path();
  if (Settings().echo) {
    options.on_line = [](const std::string& line, bool /*is_stderr*/) {
      std::cerr << line + "\n" << std::flush;
    };
  }
  if (!Settings().sanitized_root.empty()) {
    options.environment.merge(
        SanitizerEnvironment(Settings().sanitized_root, directory_.path()));
    return options;  // AddressSanitizer reserves more than any limit
  }
#ifndef WORKSHOP_SANITIZED
  options.memory_limit = kMemoryLimit;
#endif
  return options;
}

void ExerciseTest::StartServer(std::vector<std::string> flags) {
  std::vector<std::string> command = {Program("server")};
  command.insert(command.end(), flags.begin(), flags.end());
  const std::string address = "unix:server.sock";
  channel_.reset();
  server_.reset();
  server_ = std::make_unique<ServerProcess>(command, address, LearnerOptions());
  const milliseconds limit = Patience(kStartLimit);
  if (!server_->WaitUntilReady(limit)) {
    const bool runs = !server_->process().WaitForExit(milliseconds(0));
    if (runs && server_->address().empty()) {
      LosePatience();
      Usually(
          "The line is not printed, or it waits in a buffer: end it with "
          "std::endl, since stdout is not a terminal here.");
    } else if (runs) {
      Usually("The server does not use its --address, or prints another one.");
    }
    const Verdict verdict = !runs                        ? CRASH
                            : server_->address().empty() ? TIMEOUT
                                                         : FAIL;
    promise_ =
        "A server listens where --address says and prints \"listening on "
        "ADDRESS\" as soon as it does.";
    std::string sent = "$ server";
    for (const std::string& flag : flags) sent += " " + flag;
    Fail(verdict, {sent + " --address " + address}, {server_->problem()});
  }
  channel_ = NewChannel(server_->address());
}

void ExerciseTest::ExpectServerStops() {
  // Not Patience(): the grace that a server gives its calls is no slowness.
  const milliseconds limit = Settings().patience * kCallLimit;
  // A channel that nobody polls does not notice that the server says goodbye,
  // and the server would wait for it.
  channel_.reset();
  server_->process().Signal(SIGTERM);
  const std::optional<Exit> exit = server_->process().WaitForExit(limit);
  if (exit == Exit{0, 0}) {
    server_.reset();
    return;
  }
  if (!exit) {
    LosePatience();
    Usually(
        "SIGTERM is ignored, or Shutdown() waits for a call that never ends: "
        "give it a deadline.");
  }
  Fail(exit ? FAIL : TIMEOUT, {"$ kill -TERM SERVER"},
       {exit ? "the server " + Describe(*exit)
             : "the server was still running after " + Seconds(limit)});
}

std::string ExerciseTest::DescribeCall(const std::string& name,
                                       const Message& request,
                                       milliseconds limit) const {
  std::string text =
      fmt::format("{}({}), deadline {}", name, TextOf(request), Seconds(limit));
  for (const auto& [key, value] : metadata_) {
    text += fmt::format("; {}: {}", key, value);
  }
  return text;
}

void ExerciseTest::CheckResponse(const std::string& sent,
                                 const grpc::Status& status,
                                 const Message& response,
                                 const Message& expected) {
  using google::protobuf::util::MessageDifferencer;
  if (status.ok() && MessageDifferencer::Equals(response, expected)) return;
  promise_ += " Here: " + TextOf(expected);
  FailCall(sent, status, response);
}

void ExerciseTest::CheckRefusal(const std::string& sent,
                                const grpc::Status& status,
                                const Message& response, grpc::StatusCode code,
                                const std::string& mentions) {
  if (status.error_code() != code) FailCall(sent, status, response);
  CheckMessage({sent}, status, mentions);
}

void ExerciseTest::CheckMessage(const std::vector<std::string>& sent,
                                const grpc::Status& status,
                                const std::string& mentions) {
  if (!status.error_message().empty() &&
      Mentions(status.error_message(), mentions)) {
    return;
  }
  Usually(
      "The code is right and the message does not help: whoever reads it has "
      "no other way to know what to change.");
  Fail(FAIL, sent, {Describe(status)});
}

std::string ExerciseTest::DescribeEnd(const std::optional<grpc::Status>& status,
                                      milliseconds limit) {
  if (status) return "the call ended with " + Describe(*status);
  return "nothing came for " + Seconds(limit);
}

void ExerciseTest::FailConversation(const std::string& who,
                                    const std::vector<std::string>& heard,
                                    const std::string& what,
                                    const std::optional<grpc::Status>& status,
                                    bool too_slow) {
  Verdict verdict = FAIL;
  if (too_slow ||
      (status && status->error_code() == grpc::StatusCode::DEADLINE_EXCEEDED)) {
    verdict = TIMEOUT;
    LosePatience();
  }
  std::vector<std::string> came_back = {
      who + ": " + what,
      heard.empty() ? "it had got nothing before" : "the last that it got:"};
  came_back.insert(came_back.end(), heard.begin(), heard.end());
  if (const auto exit = EndOfServer(status)) {
    verdict = CRASH;
    came_back.insert(came_back.begin(), "your server " + Describe(*exit));
  }
  Fail(verdict, did_, std::move(came_back), status ? &*status : nullptr);
}

std::optional<Exit> ExerciseTest::EndOfServer(
    const std::optional<grpc::Status>& status) {
  if (server_ == nullptr) return std::nullopt;
  const bool may_be_dying =
      status && status->error_code() == grpc::StatusCode::UNAVAILABLE;
  return server_->process().WaitForExit(may_be_dying ? kDyingLimit
                                                     : milliseconds(0));
}

void ExerciseTest::FailCall(const std::string& sent, const grpc::Status& status,
                            const Message& response) {
  std::vector<std::string> came_back = {Describe(status, response)};
  Verdict verdict = FAIL;
  if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    verdict = TIMEOUT;
    LosePatience();
  }
  if (const auto exit = EndOfServer(status)) {
    verdict = CRASH;
    came_back = {"your server " + Describe(*exit) + " during the call",
                 "the call ended with " + came_back[0]};
  }
  Fail(verdict, {sent}, std::move(came_back), &status);
}

ClientRun ExerciseTest::RunClient(std::vector<std::string> arguments,
                                  const std::string& scene,
                                  milliseconds limit) {
  StartClient(std::move(arguments), scene, LearnerOptions());
  return EndOfClient(limit);
}

void ExerciseTest::StartClient(std::vector<std::string> arguments,
                               const std::string& scene) {
  Process::Options options = LearnerOptions();
  options.keep_stdin_open = true;
  StartClient(std::move(arguments), scene, std::move(options));
}

void ExerciseTest::StartClient(std::vector<std::string> arguments,
                               const std::string& scene,
                               Process::Options options) {
  if (Settings().patience > 1 && std::find(arguments.begin(), arguments.end(),
                                           kTimeout) == arguments.end()) {
    arguments.insert(arguments.begin(), {kTimeout, kLongestTimeout});
  }
  client_sent_ = "$ client";
  for (const std::string& argument : arguments) client_sent_ += " " + argument;
  if (!scene.empty()) client_sent_ += "\n" + scene;
  arguments.insert(arguments.begin(), Program("client"));
  client_start_ = steady_clock::now();
  client_ = std::make_unique<Process>(std::move(arguments), std::move(options));
}

ClientRun ExerciseTest::EndOfClient(milliseconds limit) {
  ClientRun run;
  run.sent = client_sent_;
  run.exit = client_->WaitForExit(Patience(limit));
  run.took = std::chrono::duration_cast<milliseconds>(steady_clock::now() -
                                                      client_start_);
  if (!run.exit) client_->Kill();
  run.out = client_->Stdout();
  run.err = client_->Stderr();
  ExpectNoSanitizerReport({run.sent});
  return run;
}

void ExerciseTest::ExpectOf(const ClientRun& run, bool holds) {
  if (run.exit && run.exit->signal == 0 && holds) return;
  Verdict verdict = FAIL;
  std::string end;
  if (!run.exit) {
    verdict = TIMEOUT;
    LosePatience();
    end = "still running after " + Seconds(run.took);
  } else {
    if (run.exit->signal != 0) {
      verdict = CRASH;
      usual_cause_ = UsualCause(*run.exit, run.err);
    } else if (run.err.find("TODO") != std::string::npos) {
      usual_cause_ = kSkeletonCause;
    } else if (usual_cause_.empty()) {
      usual_cause_ = UsualCauseOfClient(run.err);
    }
    end = Describe(*run.exit) + " after " + Seconds(run.took);
  }
  Fail(verdict, {run.sent},
       {end, Quoted("stdout", run.out), Quoted("stderr", run.err)});
}

void ExerciseTest::ExpectDeadline(const ClientRun& run, milliseconds timeout,
                                  std::chrono::duration<double> left) {
  if (left < timeout + milliseconds(100)) return;
  Usually("The deadline is always the same, whatever --timeout says.");
  Fail({run.sent},
       {"the server was called with " +
        Seconds(std::chrono::duration_cast<milliseconds>(left)) + " left"});
}

std::int64_t ExerciseTest::Random(std::int64_t low, std::int64_t high) {
  return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
}

std::string ExerciseTest::Word(std::string begin, int length) {
  constexpr std::string_view kCharacters =
      "abcdefghijklmnopqrstuvwxyz0123456789";
  for (int i = 0; i < length; ++i) {
    begin += kCharacters[static_cast<std::size_t>(
        Random(0, static_cast<std::int64_t>(kCharacters.size()) - 1))];
  }
  return begin;
}

std::string ExerciseTest::Bytes(std::int64_t count) {
  std::string bytes(static_cast<std::size_t>(count), '\0');
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const std::uint64_t number = random_();
    std::memcpy(bytes.data() + at, &number,
                std::min<std::size_t>(8, bytes.size() - at));
  }
  return bytes;
}

void ExerciseTest::Fail(std::vector<std::string> sent,
                        std::vector<std::string> came_back) {
  Fail(FAIL, std::move(sent), std::move(came_back));
}

void ExerciseTest::Fail(Verdict verdict, std::vector<std::string> sent,
                        std::vector<std::string> came_back,
                        const grpc::Status* status) {
  // What a sanitizer has found comes before all else: the rest follows from it.
  const std::optional<FoundReport> found = FoundBySanitizer();
  if (found) {
    const std::string& where = found->report.where;
    came_back.insert(
        came_back.begin(),
        fmt::format("{} found a mistake in your {}:\n{}",
                    found->report.sanitizer, found->program,
                    where.empty() ? "in code that it calls" : where));
  }
  CurrentReport().set_verdict(verdict);
  Explanation& explanation = *CurrentReport().mutable_explanation();
  for (std::string& line : sent) explanation.add_sent(std::move(line));
  explanation.set_promised(promise_);
  for (std::string& line : came_back) {
    explanation.add_came_back(std::move(line));
  }
  explanation.set_read(read_);

  std::string cause;
  if (server_ != nullptr) {
    const auto exit = server_->process().WaitForExit(milliseconds(0));
    if (exit) {
      const auto by_signal = cause_by_signal_.find(exit->signal);
      cause = by_signal != cause_by_signal_.end()
                  ? by_signal->second
                  : UsualCause(*exit, server_->process().Stderr());
    }
    explanation.set_output(PrintedBy("server", server_->process()));
  }
  if (cause.empty() && status != nullptr) {
    const auto by_code = cause_by_code_.find(status->error_code());
    if (by_code != cause_by_code_.end()) cause = by_code->second;
  }
  if (cause.empty() && status != nullptr) cause = UsualCause(*status);
  if (cause.empty()) cause = usual_cause_;
  explanation.set_usual_cause(cause);
  if (found) {
    explanation.set_usual_cause(found->report.cause);
    explanation.set_output(found->report.excerpt);
  }

  [] { FAIL() << "see the report"; }();
  throw ::testing::AssertionException(::testing::TestPartResult(
      ::testing::TestPartResult::kFatalFailure, nullptr, -1, "see the report"));
}

}  // namespace workshop::testing
