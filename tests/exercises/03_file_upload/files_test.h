// What the tests of this suite have in common: a learner's server and its
// folder.

#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/exercises/03_file_upload/calls.h"
#include "tests/support/exercise_test.h"
#include "tests/support/process.h"

namespace workshop::testing {

namespace fs = std::filesystem;

inline constexpr std::int64_t kKiB = 1 << 10;
inline constexpr std::int64_t kMiB = 1 << 20;

// How long a call may take that moves much data on a busy machine.
inline constexpr std::chrono::seconds kLongCallLimit{20};

// Sanitizers keep what is freed for a while, so that memory tells nothing.
#ifdef WORKSHOP_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

inline void WriteTo(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// What is wrong with the file at `path`, which should have `content`, or not be
// there; empty if nothing is.
inline std::string ProblemOf(const fs::path& path,
                             const std::optional<std::string>& content) {
  const std::string name = path.filename().string();
  if (!fs::exists(path)) return content ? name + " is not there" : "";
  std::ostringstream actual;
  actual << std::ifstream(path, std::ios::binary).rdbuf();
  const std::string bytes = actual.str();
  if (content == bytes) return "";
  const std::string problem =
      fmt::format("{} has {} bytes", name, bytes.size());
  if (!content) return problem + ", and should not be there";
  if (content->size() != bytes.size()) {
    return fmt::format("{}, and should have {}", problem, content->size());
  }
  const auto differs =
      std::mismatch(bytes.begin(), bytes.end(), content->begin());
  return fmt::format("{}, but other ones, from byte {} on", problem,
                     differs.first - bytes.begin());
}

class FilesTest : public ExerciseTest {
 protected:
  // A name that nobody can have guessed.
  std::string Name() { return Word("file-", 8); }

  File NewFile(std::int64_t size) { return {Name(), Bytes(size)}; }
  File NewFile(std::int64_t low, std::int64_t high) {
    return NewFile(Random(low, high));
  }
};

// Calls a fresh server of the learner's, which has an empty folder.
class ServerTest : public FilesTest {
 protected:
  void SetUp() override {
    fs::create_directory(kFolder);
    Start();
  }

  void Start(std::vector<std::string> flags = {}) {
    stub_.reset();
    flags.insert(flags.begin(), {"--folder", kFolder});
    StartServer(flags);
    stub_ = Files::NewStub(channel());
  }
  void Stop() {
    stub_.reset();
    ExpectServerStops();
  }
  void Restart() {
    Stop();
    Start();
  }

  RunningUpload Begin(std::chrono::milliseconds limit = kLongCallLimit) {
    return RunningUpload(*stub_, Patience(limit));
  }
  RunningUploadWithProgress BeginWithProgress() {
    return RunningUploadWithProgress(*stub_, Patience(kLongCallLimit));
  }

  // Sends `messages`; then half-closes, or waits for the server to end the
  // call.
  Outcome<UploadFileResponse> Upload(const Messages& messages,
                                     bool half_close = true) {
    RunningUpload upload = Begin(kCallLimit);
    upload.Send(messages);
    return upload.End(half_close);
  }

  // The upload succeeded, and the file is in the folder; unless another one is
  // still running, with nothing else.
  void ExpectKept(const Outcome<UploadFileResponse>& outcome, const File& file,
                  std::int64_t chunks, bool alone = true) {
    const std::string& id = outcome.response.id();
    // Any but the empty one, which is told below.
    ExpectResponse(outcome,
                   file.Result(chunks, outcome.status.ok() ? id : "any"));
    if (id.empty()) {
      Usually("The id is not set. IncomingFile has one: id().");
      Fail({outcome.sent}, {"OK, with an empty id"});
    }
    ExpectInFolder(file);
    if (!alone) return;
    ExpectFolder(outcome.sent,
                 "The answer is right, and the folder is not: IncomingFile has "
                 "a temporary name until Keep() gives it its own.");
  }

  // The server keeps `file`, of which nothing is declared. Returns its id.
  std::string ExpectKeeps(const File& file,
                          std::int64_t chunk_size = 4 * kKiB) {
    Messages messages = file.Beginning(chunk_size);
    messages.push_back(Finish());
    const Outcome<UploadFileResponse> outcome = Upload(messages);
    ExpectKept(outcome, file, std::ssize(messages) - 2);
    return outcome.response.id();
  }

  // The call was refused, and has left nothing in the folder.
  template <class Response>
  void ExpectRefused(const Outcome<Response>& outcome, grpc::StatusCode code) {
    ExpectRefusal(outcome, code);
    ExpectFolder(outcome.sent,
                 "The call is refused, but what it has stored before is not "
                 "removed. IncomingFile removes itself, unless it is kept: let "
                 "it live no longer than the call, and keep it last.");
  }
  // The same, without waiting for what the client may still have to say.
  void ExpectRefusedAtOnce(const Messages& messages, grpc::StatusCode code) {
    ExpectRefused(Upload(messages, /*half_close=*/false), code);
  }

  // Downloads. The outcome has all messages put together into one.
  Outcome<DownloadFileResponse> Download(
      const std::string& name, std::int64_t offset,
      std::chrono::milliseconds limit = kCallLimit) {
    std::string content;
    auto outcome = Download(name, offset, limit, [&](const std::string& chunk) {
      content += chunk;
    });
    outcome.response.set_chunk(content);
    return outcome;
  }

  // The same, with the last message alone; `take` gets the bytes of each.
  template <class Take>
  Outcome<DownloadFileResponse> Download(const std::string& name,
                                         std::int64_t offset,
                                         std::chrono::milliseconds limit,
                                         const Take& take) {
    limit = Patience(limit);
    DownloadFileRequest request;
    request.set_name(name);
    request.set_offset(offset);
    Outcome<DownloadFileResponse> outcome;
    outcome.sent = DescribeCall("DownloadFile", request, limit);
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + limit);
    const auto reader = stub_->DownloadFile(&context, request);
    while (reader->Read(&outcome.response)) take(outcome.response.chunk());
    outcome.status = reader->Finish();
    return outcome;
  }

  // The folder should hold this file from now on.
  void ExpectInFolder(const File& file) { kept_[file.name] = file.content; }

  // Puts a file into the folder behind the server's back.
  void Put(const File& file) {
    WriteTo(fs::path(kFolder) / file.name, file.content);
    ExpectInFolder(file);
  }

  // The folder holds what it should, and nothing else. `cause` is what usually
  // is behind it if not.
  void ExpectFolder(const std::string& sent, const std::string& cause = "") {
    std::map<std::string, std::optional<std::string>> files(kept_.begin(),
                                                            kept_.end());
    for (const auto& entry : fs::directory_iterator(kFolder)) {
      files.try_emplace(entry.path().filename());
    }
    std::vector<std::string> problems;
    for (const auto& [name, content] : files) {
      const std::string problem = ProblemOf(fs::path(kFolder) / name, content);
      if (!problem.empty()) problems.push_back("in the folder: " + problem);
    }
    if (problems.empty()) return;
    if (!cause.empty()) Usually(cause);
    Fail({sent}, problems);
  }

  // The most memory that the server has had so far.
  std::size_t Memory() { return PeakMemory(server().process().pid()); }

  // It has grown by less than 64 MiB, from what it was before.
  void ExpectLittleGrowth(const std::string& sent, std::size_t before) {
    const std::size_t after = Memory();
    if (kSanitized || after - before < 64 * kMiB) return;
    Fail({sent}, {fmt::format("the server's memory grew from {} MiB to {} MiB",
                              before / kMiB, after / kMiB)});
  }

  static constexpr char kFolder[] = "files";

 private:
  std::unique_ptr<Files::Stub> stub_;
  std::map<std::string, std::string> kept_;
};

}  // namespace workshop::testing
