// What exercises/03_file_upload/README.md promises, one test per promise.

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <signal.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lessons/common/program.h"
#include "tests/support/exercise_test.h"
#include "tests/support/fake_server.h"
#include "tests/support/process.h"
#include "workshop/files/v1/files.grpc.pb.h"

namespace workshop::testing {
namespace {

namespace fs = std::filesystem;
using files::v1::DownloadFileRequest;
using files::v1::DownloadFileResponse;
using files::v1::Files;
using files::v1::UploadFileRequest;
using files::v1::UploadFileResponse;
using files::v1::UploadProgress;
using grpc::StatusCode;
using std::chrono::milliseconds;
using std::chrono::system_clock;

constexpr std::int64_t kKiB = 1 << 10;
constexpr std::int64_t kMiB = 1 << 20;

// How long a call may take that moves much data on a busy machine.
constexpr std::chrono::seconds kLongCallLimit{20};

std::string Sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i)
    hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string ContentOf(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

void WriteTo(const fs::path& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// Sanitizers keep what is freed for a while, so that memory tells nothing.
#ifdef WORKSHOP_SANITIZED
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

std::string Grown(std::size_t before, std::size_t after) {
  return fmt::format("the server's memory grew from {} MiB to {} MiB",
                     before / kMiB, after / kMiB);
}

// --- The messages of an upload.

UploadFileRequest Header(const std::string& name,
                         std::optional<std::int64_t> size = std::nullopt) {
  UploadFileRequest request;
  request.mutable_header()->set_name(name);
  if (size) request.mutable_header()->set_size(*size);
  return request;
}

UploadFileRequest Chunk(const std::string& bytes) {
  UploadFileRequest request;
  request.set_chunk(bytes);
  return request;
}

UploadFileRequest Finish(
    const std::optional<std::string>& sha256 = std::nullopt) {
  UploadFileRequest request;
  request.mutable_finish();
  if (sha256) request.mutable_finish()->set_sha256(*sha256);
  return request;
}

// A whole upload, declaring nothing.
std::vector<UploadFileRequest> Messages(const std::string& name,
                                        const std::string& content,
                                        std::size_t chunk_size) {
  std::vector<UploadFileRequest> messages = {Header(name)};
  for (std::size_t at = 0; at < content.size(); at += chunk_size) {
    messages.push_back(Chunk(content.substr(at, chunk_size)));
  }
  messages.push_back(Finish());
  return messages;
}

// A message as a learner is told it.
std::string LineOf(const UploadFileRequest& message) {
  return message.has_chunk()
             ? fmt::format("chunk: {} bytes", message.chunk().size())
             : TextOf(message);
}

// What a learner is told of messages that were sent: each in a line, but those
// that look alike in one, and of many only the first and the last.
class SentMessages {
 public:
  explicit SentMessages(std::string call) : call_(std::move(call)) {}

  void Add(const std::string& message) {
    if (messages_.empty() || messages_.back().text != message) {
      messages_.push_back({message, 0});
    }
    ++messages_.back().count;
  }

  std::string Text() const {
    std::string text = call_;
    for (std::size_t i = 0; i < messages_.size(); ++i) {
      if (i == kShown && messages_.size() > kShown + 2) {
        i = messages_.size() - 2;
        text += "\n  ...";
      }
      text += "\n  " + messages_[i].text;
      if (messages_[i].count > 1) {
        text += fmt::format(" ({} times)", messages_[i].count);
      }
    }
    return text;
  }

 private:
  static constexpr std::size_t kShown = 5;

  struct Message {
    std::string text;
    int count;
  };

  std::string call_;
  std::vector<Message> messages_;
};

// An UploadFile that goes on while the test looks at something else.
class RunningUpload {
 public:
  RunningUpload(Files::Stub& stub, milliseconds limit)
      : sent_("UploadFile, deadline " + Seconds(limit) +
              ", with the messages") {
    context_.set_deadline(system_clock::now() + limit);
    writer_ = stub.UploadFile(&context_, &response_);
  }

  // False: the call is over; its status tells why.
  bool Send(const UploadFileRequest& message) {
    sent_.Add(LineOf(message));
    return writer_->Write(message);
  }

  // Waits for the end of the call; without a half-close, it is the server that
  // has to end it.
  Outcome<UploadFileResponse> End(bool half_close) {
    sent_.Add(half_close ? "half-close" : "(no half-close: there may be more)");
    if (half_close) writer_->WritesDone();
    const grpc::Status status = writer_->Finish();
    return {sent_.Text(), status, response_};
  }

  Outcome<UploadFileResponse> Cancel() {
    sent_.Add("(cancelled by the client)");
    context_.TryCancel();
    const grpc::Status status = writer_->Finish();
    return {sent_.Text(), status, response_};
  }

 private:
  SentMessages sent_;
  grpc::ClientContext context_;
  UploadFileResponse response_;
  std::unique_ptr<grpc::ClientWriter<UploadFileRequest>> writer_;
};

// --- The learner's server.

class ServerTest : public ExerciseTest {
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

  RunningUpload Begin(milliseconds limit = kCallLimit) {
    return RunningUpload(*stub_, Patience(limit));
  }

  // Sends `messages`; then half-closes, or waits for the server to end the
  // call.
  Outcome<UploadFileResponse> Upload(
      const std::vector<UploadFileRequest>& messages, bool half_close = true) {
    RunningUpload upload = Begin();
    for (const UploadFileRequest& message : messages) {
      if (!upload.Send(message)) break;
    }
    return upload.End(half_close);
  }

  // The same by the other call, with all the progress that came back. The
  // messages must be few enough to be sent before anything is read.
  struct Progress {
    Outcome<UploadProgress> outcome;  // with the last message
    std::vector<UploadProgress> messages;
  };
  Progress UploadWithProgress(const std::vector<UploadFileRequest>& messages,
                              bool half_close = true) {
    const milliseconds limit = Patience(kLongCallLimit);
    SentMessages sent("UploadFileWithProgress, deadline " + Seconds(limit) +
                      ", with the messages");
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + limit);
    const auto stream = stub_->UploadFileWithProgress(&context);
    for (const UploadFileRequest& message : messages) {
      sent.Add(LineOf(message));
      if (!stream->Write(message)) break;
    }
    sent.Add(half_close ? "half-close" : "(no half-close: there may be more)");
    if (half_close) stream->WritesDone();
    Progress progress;
    UploadProgress message;
    while (stream->Read(&message)) progress.messages.push_back(message);
    progress.outcome.sent = sent.Text();
    progress.outcome.status = stream->Finish();
    if (!progress.messages.empty()) {
      progress.outcome.response = progress.messages.back();
    }
    return progress;
  }

  // Downloads, and puts all messages together into one.
  Outcome<DownloadFileResponse> Download(const std::string& name,
                                         std::int64_t offset,
                                         milliseconds limit = kCallLimit) {
    limit = Patience(limit);
    DownloadFileRequest request;
    request.set_name(name);
    request.set_offset(offset);
    Outcome<DownloadFileResponse> outcome;
    outcome.sent = fmt::format("DownloadFile({}), deadline {}", TextOf(request),
                               Seconds(limit));
    grpc::ClientContext context;
    context.set_deadline(system_clock::now() + limit);
    const auto reader = stub_->DownloadFile(&context, request);
    DownloadFileResponse message;
    last_download_messages_ = 0;
    while (reader->Read(&message)) {
      ++last_download_messages_;
      outcome.response.set_size(message.size());
      *outcome.response.mutable_chunk() += message.chunk();
    }
    outcome.status = reader->Finish();
    return outcome;
  }

  // The upload succeeded, and the file is in the folder; unless another one is
  // still running, with nothing else.
  void ExpectKept(const Outcome<UploadFileResponse>& outcome,
                  const std::string& name, const std::string& content,
                  std::int64_t chunks, bool alone = true) {
    UploadFileResponse expected;
    // Any but the empty one, which is told below.
    expected.set_id(outcome.status.ok() ? outcome.response.id() : "any");
    expected.set_size(std::ssize(content));
    expected.set_sha256(Sha256(content));
    expected.set_chunks(chunks);
    ExpectResponse(outcome, expected);
    if (outcome.response.id().empty()) {
      Usually("The id is not set. IncomingFile has one: id().");
      Fail(grader::v1::FAIL, {outcome.sent}, {"OK, with an empty id"});
    }
    ExpectInFolder(name, content);
    if (!alone) return;
    ExpectFolder(outcome.sent,
                 "The answer is right, and the folder is not: IncomingFile has "
                 "a temporary name until Keep() gives it its own.");
  }

  // Uploads a small file that the server has to keep.
  UploadFileResponse Keep(const std::string& name) {
    const std::string content = Bytes(Random(1, 1000));
    const auto outcome = Upload({Header(name), Chunk(content), Finish()});
    ExpectKept(outcome, name, content, 1);
    return outcome.response;
  }

  // The call was refused, and has left nothing in the folder.
  template <class Response>
  void ExpectRefused(const Outcome<Response>& outcome, StatusCode code) {
    ExpectRefusal(outcome, code);
    ExpectFolder(outcome.sent,
                 "The call is refused, but what it has stored before is not "
                 "removed. IncomingFile removes itself, unless it is kept: let "
                 "it live no longer than the call, and keep it last.");
  }

  // The folder is to hold this file from now on.
  void ExpectInFolder(const std::string& name, const std::string& content) {
    kept_[name] = content;
  }

  // The folder holds what it is to hold, and nothing else. `cause` is what
  // usually is behind it if not.
  void ExpectFolder(const std::string& sent, const std::string& cause = "") {
    std::vector<std::string> problems;
    std::set<std::string> there;
    for (const auto& entry : fs::directory_iterator(kFolder)) {
      const std::string name = entry.path().filename();
      there.insert(name);
      if (!kept_.contains(name)) {
        problems.push_back(fmt::format(
            "the folder holds \"{}\", which should not be there", name));
      } else if (const std::string content = ContentOf(entry.path());
                 content != kept_[name]) {
        problems.push_back(fmt::format(
            "\"{}\" in the folder has {} bytes, {}", name, content.size(),
            content.size() == kept_[name].size()
                ? "but other ones"
                : fmt::format("not {}", kept_[name].size())));
      }
    }
    for (const auto& [name, content] : kept_) {
      if (!there.contains(name)) {
        problems.push_back("the folder has no \"" + name + "\"");
      }
    }
    if (problems.empty()) return;
    if (!cause.empty()) Usually(cause);
    Fail(grader::v1::FAIL, {sent}, problems);
  }

  // Puts a file into the folder behind the server's back.
  void Put(const std::string& name, const std::string& content) {
    WriteTo(fs::path(kFolder) / name, content);
    ExpectInFolder(name, content);
  }

  // Random bytes.
  std::string Bytes(std::int64_t count) {
    std::mt19937_64 random(static_cast<std::uint64_t>(Random(0, 1LL << 62)));
    std::string bytes(static_cast<std::size_t>(count), '\0');
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
      const std::uint64_t number = random();
      std::memcpy(bytes.data() + at, &number,
                  std::min<std::size_t>(8, bytes.size() - at));
    }
    return bytes;
  }

  // A name that nobody can have guessed.
  std::string Name() { return fmt::format("file-{}", Random(0, 999'999'999)); }

  Files::Stub& stub() { return *stub_; }
  int last_download_messages() const { return last_download_messages_; }

  static constexpr char kFolder[] = "files";

 private:
  std::unique_ptr<Files::Stub> stub_;
  std::map<std::string, std::string> kept_;
  int last_download_messages_ = 0;
};

class Task1_Upload : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Read("lessons/04_streaming/README.md#how-it-works");
    UsuallyIf(StatusCode::INVALID_ARGUMENT,
              "These messages are in order: a header, chunks, a finish. Is the "
              "finish handled, and the loop left once it is?");
    UsuallyIf(StatusCode::DATA_LOSS,
              "Nothing was declared here. An optional field that is not there "
              "reads as 0 or \"\": ask has_size() and has_sha256() first.");
  }
};

TEST_F(Task1_Upload, KeepsWhatWasUploaded) {
  Promises(
      "UploadFile keeps the bytes of all chunks, in their order, under the "
      "header's name, and answers with an id, their number, their SHA-256, "
      "and the number of chunks.");
  Usually(
      "Bytes are lost or changed on their way (a chunk is no text: it may "
      "have any bytes, zeros too), or result_ is not filled in for each "
      "chunk.");
  const std::string small = Bytes(Random(1, 100));
  const std::string first = Name(), second = Name();
  ExpectKept(Upload({Header(first), Chunk(small), Finish()}), first, small, 1);
  const std::string large = Bytes(Random(200'000, 300'000));
  const std::int64_t chunk = Random(1000, 50'000);
  ExpectKept(Upload(Messages(second, large, chunk)), second, large,
             (std::ssize(large) + chunk - 1) / chunk);
}

TEST_F(Task1_Upload, KeepsAnEmptyFile) {
  Promises("A file may have no bytes at all: header and finish will do.");
  Usually(
      "The file is created with the first chunk, or an upload without one is "
      "taken for incomplete.");
  const std::string name = Name();
  ExpectKept(Upload({Header(name), Finish()}), name, "", 0);
}

TEST_F(Task1_Upload, TakesWhatIsDeclaredRightly) {
  Promises("A declared size and a declared SHA-256 that are right are fine.");
  UsuallyIf(StatusCode::DATA_LOSS,
            "Both are right here. The size is that of all chunks together, and "
            "the SHA-256 is in lower-case hexadecimal digits.");
  const std::string name = Name(), content = Bytes(Random(1000, 2000));
  ExpectKept(
      Upload({Header(name, std::ssize(content)), Chunk(content.substr(0, 500)),
              Chunk(content.substr(500)), Finish(Sha256(content))}),
      name, content, 2);
}

TEST_F(Task1_Upload, GivesEachUploadAnIdOfItsOwn) {
  Promises(
      "The id names an upload among all that there have been, before a "
      "restart of the server too.");
  std::map<std::string, std::string> ids;
  const auto keep = [&] {
    const std::string name = Name(), id = Keep(name).id();
    const auto [other, is_new] = ids.emplace(id, name);
    if (is_new) return;
    Fail(grader::v1::FAIL, {"uploads of " + other->second + " and " + name},
         {"both had the id \"" + id + "\""});
  };
  Usually("The id is made of something that two uploads share.");
  keep();
  keep();
  Stop();
  Start();
  Usually(
      "The id is counted from 1 again after a restart. A random one, such as "
      "IncomingFile::id(), needs no memory.");
  keep();
  keep();
}

TEST_F(Task1_Upload, TakesUploadsSideBySide) {
  Promises("Several uploads may run at the same time.");
  Usually(
      "Something that belongs to one call is kept in a member of the service, "
      "where all calls share it: the file, the hash, or the counts. Each call "
      "needs an Upload of its own.");
  const std::string names[] = {Name(), Name(), Name()};
  std::string contents[3];
  std::vector<std::unique_ptr<RunningUpload>> uploads;
  for (const std::string& name : names) {
    uploads.push_back(
        std::make_unique<RunningUpload>(stub(), Patience(kLongCallLimit)));
    uploads.back()->Send(Header(name));
  }
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 3; ++i) {
      // More than is sent ahead, so that the server is at work on all.
      const std::string chunk = Bytes(Random(100'000, 200'000));
      contents[i] += chunk;
      uploads[i]->Send(Chunk(chunk));
    }
  }
  // All are finished before one is looked at, so that the folder has each.
  std::vector<Outcome<UploadFileResponse>> outcomes;
  for (int i = 0; i < 3; ++i) {
    uploads[i]->Send(Finish());
    outcomes.push_back(uploads[i]->End(/*half_close=*/true));
    if (!outcomes[i].status.ok()) break;
    ExpectInFolder(names[i], contents[i]);
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ExpectKept(outcomes[i], names[i], contents[i], 4);
  }
}

TEST_F(Task1_Upload, LeavesNothingOfAnUnfinishedUpload) {
  Read(
      "lessons/04_streaming/README.md"
      "#is-it-the-end-of-the-file-or-of-the-client");
  Promises(
      "An upload that is half-closed without a finish is refused with "
      "INVALID_ARGUMENT and leaves nothing in the folder.");
  UsuallyIf(StatusCode::OK,
            "Read() returning false is taken for the end of the file. It only "
            "says that no more comes: a client that has died in the middle "
            "looks the same.");
  Usually(
      "The file, or its temporary one, is not removed when the upload ends "
      "without a finish. IncomingFile removes it with itself, so it must live "
      "no longer than the call.");
  Keep(Name());
  const std::string name = Name();
  ExpectRefused(Upload({Header(name), Chunk(Bytes(1000))}),
                StatusCode::INVALID_ARGUMENT);
  ExpectRefused(Upload({Header(name)}), StatusCode::INVALID_ARGUMENT);
  Usually(
      "An upload that has failed must not keep its name from the next one.");
  const std::string content = Bytes(100);
  ExpectKept(Upload({Header(name), Chunk(content), Finish()}), name, content,
             1);
}

TEST_F(Task1_Upload, LeavesNothingOfACancelledUpload) {
  Read(
      "lessons/04_streaming/README.md"
      "#is-it-the-end-of-the-file-or-of-the-client");
  Promises(
      "An upload that its client cancels leaves nothing in the folder. (It is "
      "looked at when the server has stopped, and so is done with the call.)");
  Usually(
      "Whatever came before is kept, or its temporary file remains. To the "
      "server, a cancelled call looks like a half-closed one: Read() returns "
      "false. What tells them apart is the finish.");
  Keep(Name());
  std::string sent;
  {
    RunningUpload upload = Begin(kLongCallLimit);
    upload.Send(Header(Name(), 10 * kMiB));
    const std::string chunk = Bytes(64 * kKiB);
    for (int i = 0; i < 20; ++i) upload.Send(Chunk(chunk));
    sent = upload.Cancel().sent;
  }
  Stop();
  ExpectFolder(sent);
}

TEST_F(Task1_Upload, CleansUpAfterItWasKilled) {
  Read("exercises/03_file_upload/README.md#the-contract");
  Promises(
      "When the server is killed during an upload and started again, nothing "
      "of that upload is in the folder, and all that was kept before is.");
  Usually(
      "A program that is killed removes nothing: main() has to, before it "
      "listens again. IncomingFile::RemoveLeftovers() does.");
  Keep(Name());
  RunningUpload upload = Begin(kLongCallLimit);
  upload.Send(Header(Name()));
  // More than windows and buffers hold, so that the server is at work on it.
  const std::string chunk = Bytes(64 * kKiB);
  for (int i = 0; i < 64; ++i) upload.Send(Chunk(chunk));
  server().process().Signal(SIGKILL);
  server().process().WaitForExit(kCallLimit);
  const std::string sent = upload.End(false).sent;
  Start();
  ExpectFolder(sent + "\n$ kill -KILL SERVER, and a new one is started");
}

TEST_F(Task1_Upload, UsesLittleMemory) {
  Read(
      "lessons/04_streaming/README.md"
      "#flow-control-the-slow-reader-stops-the-writer");
  Promises(
      "However large a file is, the server does not hold it in memory: it "
      "grows by less than 64 MiB while it takes 256 MiB.");
  Usually(
      "The chunks are collected, and written when all are there. Write each "
      "chunk as it comes. Or main() does not set GRPC_ARG_HTTP2_BDP_PROBE to "
      "0, as the skeleton's does.");
  Keep(Name());
  const auto before = PeakMemory(server().process().pid());
  RunningUpload upload = Begin(kLongCallLimit);
  upload.Send(Header(Name()));
  const UploadFileRequest chunk = Chunk(Bytes(kMiB));
  bool open = true;
  for (int i = 0; open && i < 256; ++i) open = upload.Send(chunk);
  const auto after = PeakMemory(server().process().pid());
  if (!open) {
    auto outcome = upload.End(/*half_close=*/false);
    UploadFileResponse expected = outcome.response;
    expected.set_size(256 * kMiB);
    ExpectResponse(outcome, expected);
  }
  // Not finished: what is to be seen has been seen, and the disk is spared.
  const std::string sent = upload.Cancel().sent;
  if (kSanitized || after - before < 64 * kMiB) return;
  Fail(grader::v1::FAIL, {sent}, {Grown(before, after)});
}

class Task2_Refusals : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Read("exercises/03_file_upload/README.md#the-contract");
    Usually(
        "It is refused for another reason than the contract gives. By the "
        "code, a program decides what to do next.");
    UsuallyIf(StatusCode::OK, "Nothing looks at it: the upload succeeds.");
    UsuallyIf(StatusCode::DEADLINE_EXCEEDED,
              "The server goes on reading, and the client has no reason to "
              "half-close: it does not know yet that it is refused. Return the "
              "status as soon as there is one.");
  }
};

TEST_F(Task2_Refusals, RejectsWhatComesBeforeTheHeader) {
  Promises(
      "The first message is the header: a chunk or a finish before it is "
      "refused with INVALID_ARGUMENT at once, and so is a message that has "
      "none of the three.");
  const std::string chunk = Bytes(10);
  for (const UploadFileRequest& message :
       {Chunk(chunk), Finish(), UploadFileRequest()}) {
    ExpectRefused(Upload({message}, /*half_close=*/false),
                  StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(Task2_Refusals, RejectsASecondHeader) {
  Promises(
      "A second header is refused with INVALID_ARGUMENT at once, whether it "
      "has the same name or another one; so is a message that has neither "
      "header, chunk nor finish.");
  const std::string name = Name(), chunk = Bytes(10);
  for (const UploadFileRequest& message :
       {Header(name), Header(Name()), UploadFileRequest()}) {
    ExpectRefused(Upload({Header(name), Chunk(chunk), message},
                         /*half_close=*/false),
                  StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(Task2_Refusals, RejectsNamesThatAreNotOfTheFolder) {
  Promises(
      "A name has 1 to 255 bytes, none of them \"/\" or NUL, and does not "
      "begin with \".\"; every other one is refused with INVALID_ARGUMENT at "
      "once.");
  UsuallyIf(StatusCode::OK,
            "A client could write wherever the server can: never make a path "
            "of what a client sends before you have looked at it.");
  UsuallyIf(StatusCode::INTERNAL,
            "The name was tried on the disk, and the disk refused it. What a "
            "client can put right is INVALID_ARGUMENT, and known before.");
  const std::string names[] = {"",
                               ".",
                               "..",
                               "../" + Name(),
                               fs::absolute(Name()).string(),
                               "a/" + Name(),
                               Name() + "/",
                               "." + Name(),
                               "a" + std::string(1, '\0') + Name(),
                               std::string(256, 'x')};
  for (const std::string& name : names) {
    ExpectRefused(Upload({Header(name)}, /*half_close=*/false),
                  StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(Task2_Refusals, AcceptsEveryOtherName) {
  Promises(
      "A name has 1 to 255 bytes, none of them \"/\" or NUL, and does not "
      "begin with \".\"; every such name is fine.");
  UsuallyIf(StatusCode::INVALID_ARGUMENT,
            "The check refuses too much: \"..\" in the middle of a name leads "
            "nowhere, and other scripts than Latin are letters too.");
  UsuallyIf(StatusCode::INTERNAL,
            "Is the temporary name made from this one? 255 bytes are the most "
            "that a name may have on disk: there is no room for more.");
  for (const std::string& name :
       {Name() + "..txt", std::string("a..b"), std::string("Übung 3 (neu).pdf"),
        std::string("-rf ~"), std::string("C:\\x"), std::string(255, 'y')}) {
    Keep(name);
  }
}

TEST_F(Task2_Refusals, RejectsADeclaredSizeBeforeAnyChunk) {
  Promises(
      "A file that is declared larger than --max-bytes is refused with "
      "RESOURCE_EXHAUSTED before a chunk of it has come; a negative size with "
      "INVALID_ARGUMENT.");
  const std::int64_t most = Random(1000, 100'000);
  Start({"--max-bytes", std::to_string(most)});
  ExpectRefused(Upload({Header(Name(), most + 1)}, /*half_close=*/false),
                StatusCode::RESOURCE_EXHAUSTED);
  ExpectRefused(Upload({Header(Name(), 1LL << 62)}, /*half_close=*/false),
                StatusCode::RESOURCE_EXHAUSTED);
  ExpectRefused(Upload({Header(Name(), -Random(1, 1000))},
                       /*half_close=*/false),
                StatusCode::INVALID_ARGUMENT);
}

TEST_F(Task2_Refusals, RejectsWhatGrowsTooLarge) {
  Promises(
      "The chunk that makes a file larger than --max-bytes is refused with "
      "RESOURCE_EXHAUSTED at once. A file of just that size is fine.");
  const std::int64_t most = Random(10'000, 100'000);
  Start({"--max-bytes", std::to_string(most)});
  UsuallyIf(StatusCode::RESOURCE_EXHAUSTED,
            "The file has as many bytes as it may have, and not one more.");
  const std::string name = Name(), content = Bytes(most);
  ExpectKept(Upload(Messages(name, content, 10'000)), name, content,
             (most + 9999) / 10'000);
  UsuallyIf(StatusCode::OK,
            "Only the declared size is looked at. A client need not declare "
            "one, and may declare a wrong one.");
  const std::string larger = content + "x";
  std::vector<UploadFileRequest> messages = Messages(Name(), larger, 10'000);
  messages.pop_back();  // no finish
  ExpectRefused(Upload(messages, /*half_close=*/false),
                StatusCode::RESOURCE_EXHAUSTED);
  // Far from what is declared, too.
  *messages.front().mutable_header() = Header(Name(), 10).header();
  const auto outcome = Upload(messages, /*half_close=*/false);
  if (outcome.status.error_code() != StatusCode::DATA_LOSS) {
    ExpectRefused(outcome, StatusCode::RESOURCE_EXHAUSTED);
  }
}

TEST_F(Task2_Refusals, RejectsAWrongHash) {
  Promises(
      "An upload whose bytes do not have the declared SHA-256 is refused with "
      "DATA_LOSS, and leaves nothing in the folder.");
  UsuallyIf(StatusCode::OK,
            "The declared SHA-256 is not compared, or only after the file has "
            "been kept.");
  const std::string content = Bytes(Random(100, 1000));
  std::string hash = Sha256(content);
  hash.back() = hash.back() == '0' ? '1' : '0';
  for (const std::string& wrong : {hash, Sha256("")}) {
    ExpectRefused(Upload({Header(Name()), Chunk(content), Finish(wrong)}),
                  StatusCode::DATA_LOSS);
  }
}

TEST_F(Task2_Refusals, RejectsAWrongSize) {
  Promises(
      "An upload of more or fewer bytes than declared is refused with "
      "DATA_LOSS, at its finish at the latest, and leaves nothing in the "
      "folder.");
  UsuallyIf(StatusCode::OK,
            "The declared size is not compared with what came (or only one "
            "way: both too many and too few are wrong), or only after the file "
            "has been kept.");
  const std::string content = Bytes(Random(100, 1000));
  for (const std::int64_t wrong :
       {std::ssize(content) + 1, std::ssize(content) - 1, std::ptrdiff_t{0}}) {
    ExpectRefused(Upload({Header(Name(), wrong), Chunk(content), Finish()}),
                  StatusCode::DATA_LOSS);
  }
}

TEST_F(Task2_Refusals, RejectsATakenName) {
  Promises(
      "A name is given once: if there is a file of it, the upload is refused "
      "with ALREADY_EXISTS before a chunk has come, and the file stays as it "
      "is.");
  UsuallyIf(StatusCode::OK,
            "The file was replaced. Whoever is half through its download would "
            "get the other half of another file.");
  const std::string name = Name();
  Keep(name);
  ExpectRefused(Upload({Header(name)}, /*half_close=*/false),
                StatusCode::ALREADY_EXISTS);
  Usually("The server knows only the names that it was told since its start.");
  Stop();
  Start();
  ExpectRefused(Upload({Header(name)}, /*half_close=*/false),
                StatusCode::ALREADY_EXISTS);
}

TEST_F(Task2_Refusals, GivesANameToOneOfTwoUploads) {
  Promises(
      "Of two uploads of one name that run at the same time, the one that is "
      "finished first succeeds, and the other one ends in ALREADY_EXISTS.");
  UsuallyIf(
      StatusCode::OK,
      "Whether the name is taken is asked at the header only. In between, "
      "another upload may have taken it: what counts is the moment in "
      "which the file gets its name, and Keep() tells.");
  UsuallyIf(StatusCode::INTERNAL,
            "Keep() says std::errc::file_exists for a name that is taken: that "
            "is no fault of the disk.");
  const std::string name = Name();
  // More than is sent ahead, so that the server is at work on both.
  const std::string contents[] = {Bytes(kMiB), Bytes(kMiB)};
  RunningUpload uploads[] = {Begin(kLongCallLimit), Begin(kLongCallLimit)};
  for (int i = 0; i < 2; ++i) {
    uploads[i].Send(Header(name));
    for (std::size_t at = 0; at < kMiB; at += 64 * kKiB) {
      uploads[i].Send(Chunk(contents[i].substr(at, 64 * kKiB)));
    }
  }
  const int winner = static_cast<int>(Random(0, 1));
  uploads[winner].Send(Finish());
  ExpectKept(uploads[winner].End(/*half_close=*/true), name, contents[winner],
             16, /*alone=*/false);
  uploads[1 - winner].Send(Finish());
  ExpectRefused(uploads[1 - winner].End(/*half_close=*/true),
                StatusCode::ALREADY_EXISTS);
}

TEST_F(Task2_Refusals, GoesOnAfterARefusal) {
  Promises("A refused upload changes nothing for the uploads after it.");
  const std::string name = Name(), content = Bytes(100);
  ExpectRefused(Upload({Header(name), Chunk(content), Finish(Sha256(""))}),
                StatusCode::DATA_LOSS);
  UsuallyIf(StatusCode::ALREADY_EXISTS,
            "The name was reserved, or given, although the upload failed.");
  UsuallyIf(StatusCode::DATA_LOSS,
            "Nothing is declared in this upload, but in the one before: "
            "something is kept in a member of the service.");
  ExpectKept(Upload({Header(name), Chunk(content), Finish()}), name, content,
             1);
}

class Task3_Progress : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Read("lessons/04_streaming/README.md#two-directions-two-threads");
    Usually(
        "The upload succeeds, and what came back is not what should: received "
        "in each message, the result in the last one.");
  }

  // The result that an upload of `content` must have.
  static UploadProgress Last(const Progress& progress,
                             const std::string& content, std::int64_t chunks) {
    UploadProgress expected;
    expected.set_received(std::ssize(content));
    UploadFileResponse& result = *expected.mutable_result();
    result.set_id(progress.outcome.response.result().id());  // any
    result.set_size(std::ssize(content));
    result.set_sha256(Sha256(content));
    result.set_chunks(chunks);
    return expected;
  }
};

TEST_F(Task3_Progress, EndsWithTheResult) {
  Promises(
      "The last message of UploadFileWithProgress has received, the size of "
      "the whole file, and result, what UploadFile would have answered; no "
      "message before it has a result.");
  for (const std::int64_t size :
       {Random(2'000'000, 3'000'000), std::int64_t{0}}) {
    const std::string name = Name(), content = Bytes(size);
    const Progress progress =
        UploadWithProgress(Messages(name, content, 100'000));
    ExpectResponse(progress.outcome,
                   Last(progress, content, (size + 99'999) / 100'000));
    ExpectInFolder(name, content);
    for (std::size_t i = 0; i + 1 < progress.messages.size(); ++i) {
      if (!progress.messages[i].has_result()) continue;
      Fail(grader::v1::FAIL, {progress.outcome.sent},
           {fmt::format("message {} of {} has a result: {}", i + 1,
                        progress.messages.size(),
                        TextOf(progress.messages[i]))});
    }
    ExpectFolder(progress.outcome.sent);
  }
}

TEST_F(Task3_Progress, TellsHowFarItIsMeanwhile) {
  Promises(
      "As soon as another MiB (1,048,576 bytes) has arrived since the last "
      "message, or more often, UploadFileWithProgress tells how many have.");
  UsuallyIf(
      StatusCode::DEADLINE_EXCEEDED,
      "The client sends no more until it hears how far the upload is, and "
      "waits in vain: that is told too late (with the next chunk, or the "
      "finish), or not at all. Tell it when the chunk has been taken with "
      "which another MiB is full.");
  const milliseconds limit = Patience(kLongCallLimit);
  SentMessages sent("UploadFileWithProgress, deadline " + Seconds(limit) +
                    ", with the messages");
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + limit);
  const auto stream = stub().UploadFileWithProgress(&context);
  const auto send = [&](const UploadFileRequest& message) {
    sent.Add(LineOf(message));
    stream->Write(message);
  };
  send(Header(Name()));
  const std::string chunk = Bytes(Random(100'000, 200'000));
  std::int64_t total = 0;
  UploadProgress progress;
  while (total < 3'500'000) {
    send(Chunk(chunk));
    total += std::ssize(chunk);
    while (total - progress.received() >= kMiB) {
      const std::int64_t before = progress.received();
      if (!stream->Read(&progress)) {
        UploadProgress expected;
        expected.set_received(total);
        ExpectResponse(
            Outcome<UploadProgress>{sent.Text(), stream->Finish(), {}},
            expected);
      }
      if (progress.received() >= before && progress.received() <= total)
        continue;
      Fail(grader::v1::FAIL, {sent.Text()},
           {fmt::format("received: {}, after received: {}; {} bytes were sent",
                        progress.received(), before, total)});
    }
  }
  context.TryCancel();
  stream->Finish();
}

TEST_F(Task3_Progress, FailsAsUploadFileDoes) {
  Promises(
      "UploadFileWithProgress refuses what UploadFile refuses, with the same "
      "codes, as soon; and leaves nothing in the folder.");
  UsuallyIf(StatusCode::OK,
            "Is each message given to Upload::Take(), and what it returns "
            "looked at?");
  UsuallyIf(StatusCode::DEADLINE_EXCEEDED,
            "The refusal is known and not returned: the client has no reason "
            "to half-close.");
  const std::int64_t most = Random(1000, 10'000);
  Start({"--max-bytes", std::to_string(most)});
  const std::string content = Bytes(Random(10, 1000));
  const auto refuse = [&](const std::vector<UploadFileRequest>& messages,
                          bool half_close, StatusCode code) {
    ExpectRefused(UploadWithProgress(messages, half_close).outcome, code);
  };
  refuse({Chunk(content)}, false, StatusCode::INVALID_ARGUMENT);
  refuse({Header("../" + Name())}, false, StatusCode::INVALID_ARGUMENT);
  refuse({Header(Name(), most + 1)}, false, StatusCode::RESOURCE_EXHAUSTED);
  refuse({Header(Name()), Chunk(Bytes(most + 1))}, false,
         StatusCode::RESOURCE_EXHAUSTED);
  refuse({Header(Name()), Chunk(content), Finish(Sha256(""))}, true,
         StatusCode::DATA_LOSS);
  UsuallyIf(StatusCode::OK,
            "Half-closed without a finish: Read() returned false, and that was "
            "taken for the end of the file.");
  refuse({Header(Name()), Chunk(content)}, true, StatusCode::INVALID_ARGUMENT);
}

class Task4_Download : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Read("exercises/03_file_upload/README.md#the-contract");
    Usually(
        "Other bytes came than the file has there, or size is not set in every "
        "message. Open the file as binary, and read as many bytes as are left: "
        "the last piece is shorter.");
  }

  // What all messages together must have.
  static DownloadFileResponse File(const std::string& content,
                                   std::int64_t offset) {
    DownloadFileResponse expected;
    expected.set_size(std::ssize(content));
    expected.set_chunk(content.substr(static_cast<std::size_t>(offset)));
    return expected;
  }
};

TEST_F(Task4_Download, SendsAFile) {
  Promises(
      "DownloadFile sends all bytes of the file, and its size in every "
      "message.");
  const std::string small = Name(), large = Name();
  const std::string few = Bytes(Random(1, 1000));
  Put(small, few);
  ExpectResponse(Download(small, 0), File(few, 0));
  UsuallyIf(StatusCode::RESOURCE_EXHAUSTED,
            "A message has at most 4 MiB: send a file in pieces.");
  const std::string many = Bytes(Random(5'000'000, 6'000'000));
  Put(large, many);
  ExpectResponse(Download(large, 0, kLongCallLimit), File(many, 0));
}

TEST_F(Task4_Download, SendsTheSizeWithoutAnyBytes) {
  Promises(
      "There is at least one message, which has the size of the file, even if "
      "there are no bytes to send: of an empty file, or from its very end.");
  Usually(
      "Without bytes to send, no message is sent (a do loop sends one), or "
      "size "
      "is not the whole file's.");
  const std::string name = Name(), content = Bytes(Random(1, 1000));
  Put(name, content);
  ExpectResponse(Download(name, std::ssize(content)),
                 File(content, std::ssize(content)));
  // Its size is 0, which a message has that was never sent, too.
  const std::string empty = Name();
  Put(empty, "");
  const auto outcome = Download(empty, 0);
  ExpectResponse(outcome, DownloadFileResponse());
  if (last_download_messages() > 0) return;
  Fail(grader::v1::FAIL, {outcome.sent}, {"OK, without any message"});
}

TEST_F(Task4_Download, GoesOnFromAnOffset) {
  Promises(
      "With an offset, DownloadFile leaves out so many bytes at the beginning; "
      "size is the whole file's all the same.");
  Usually(
      "The offset is not used, or it is taken off the size as well: size is "
      "what the whole file has, so that a client knows when it has all.");
  const std::string name = Name(), content = Bytes(Random(200'000, 300'000));
  Put(name, content);
  for (const std::int64_t offset :
       {std::int64_t{1}, Random(2, 199'999), std::ssize(content) - 1}) {
    ExpectResponse(Download(name, offset), File(content, offset));
  }
}

TEST_F(Task4_Download, RejectsAnOffsetThatIsNotInTheFile) {
  Promises(
      "An offset beyond the end of the file is refused with OUT_OF_RANGE, a "
      "negative one with INVALID_ARGUMENT.");
  UsuallyIf(StatusCode::OK,
            "Nothing looks at the offset before the file is read.");
  UsuallyIf(StatusCode::INTERNAL,
            "The file was read from there, which failed. Look at the offset "
            "first: the client can put it right.");
  UsuallyIf(StatusCode::INVALID_ARGUMENT,
            "Beyond the end of this file is not wrong in itself, it depends on "
            "the file: OUT_OF_RANGE.");
  const std::string name = Name(), content = Bytes(Random(1, 1000));
  Put(name, content);
  for (const std::int64_t over : {std::int64_t{1}, Random(2, 1LL << 62)}) {
    ExpectRefusal(Download(name, std::ssize(content) + over),
                  StatusCode::OUT_OF_RANGE);
  }
  UsuallyIf(StatusCode::OUT_OF_RANGE,
            "No file has a negative offset: that can never be right.");
  ExpectRefusal(Download(name, -Random(1, 1000)), StatusCode::INVALID_ARGUMENT);
}

TEST_F(Task4_Download, RejectsAFileThatIsNotThere) {
  Promises(
      "A name of which there is no file is refused with NOT_FOUND; so is that "
      "of a folder.");
  UsuallyIf(StatusCode::OK,
            "The file is opened and nobody looks whether that worked. (Opening "
            "a folder works, and reading it does not.)");
  UsuallyIf(StatusCode::INTERNAL,
            "A file that is not there is no fault of the server's: NOT_FOUND. "
            "Opening a folder works, and reading it does not: ask "
            "is_regular_file().");
  Usually(
      "Something else is looked at first. Before anything, ask "
      "is_regular_file(), which is false for a folder.");
  ExpectRefusal(Download(Name(), 0), StatusCode::NOT_FOUND);
  const std::string folder = Name();
  fs::create_directory(fs::path(kFolder) / folder);
  ExpectRefusal(Download(folder, 0), StatusCode::NOT_FOUND);
}

TEST_F(Task4_Download, RejectsNamesThatAreNotOfTheFolder) {
  Promises(
      "The names that UploadFile refuses, DownloadFile refuses with "
      "INVALID_ARGUMENT too.");
  UsuallyIf(StatusCode::OK,
            "A client could read whatever the server can. Both calls need "
            "IsGoodName().");
  UsuallyIf(StatusCode::NOT_FOUND,
            "The name was looked up. Look at it first, by IsGoodName().");
  const std::string secret = Name();
  WriteTo(secret, "secret");
  Put("." + secret, "secret");
  for (const std::string& name :
       {"../" + secret, std::string(), std::string(".."), "." + secret,
        fs::absolute(secret).string(), secret + std::string(1, '\0'),
        std::string(256, 'x')}) {
    ExpectRefusal(Download(name, 0), StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(Task4_Download, UsesLittleMemory) {
  Read(
      "lessons/04_streaming/README.md"
      "#flow-control-the-slow-reader-stops-the-writer");
  Promises(
      "However large a file is, the server does not hold it in memory: it "
      "grows by less than 64 MiB while it sends 96 MiB.");
  Usually(
      "The file is read as a whole before it is sent. Read a piece, write it, "
      "and read the next one: Write() waits while the client is busy.");
  const std::string small = Name(), large = Name();
  Put(small, "x");
  ExpectResponse(Download(small, 0), File("x", 0));
  WriteTo(fs::path(kFolder) / large, "");
  fs::resize_file(fs::path(kFolder) / large, 96 * kMiB);  // takes no room
  const auto before = PeakMemory(server().process().pid());
  const milliseconds limit = Patience(kLongCallLimit);
  DownloadFileRequest request;
  request.set_name(large);
  Outcome<DownloadFileResponse> outcome;
  outcome.sent = fmt::format("DownloadFile({}), deadline {}", TextOf(request),
                             Seconds(limit));
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + limit);
  const auto reader = stub().DownloadFile(&context, request);
  std::int64_t received = 0;
  while (reader->Read(&outcome.response)) {
    received += std::ssize(outcome.response.chunk());
  }
  outcome.status = reader->Finish();
  const auto after = PeakMemory(server().process().pid());
  DownloadFileResponse expected = outcome.response;
  expected.set_size(96 * kMiB);
  ExpectResponse(outcome, expected);
  if (received != 96 * kMiB) {
    Fail(grader::v1::FAIL, {outcome.sent},
         {fmt::format("OK, and {} bytes", received)});
  }
  if (kSanitized || after - before < 64 * kMiB) return;
  Fail(grader::v1::FAIL, {outcome.sent}, {Grown(before, after)});
}

// --- The learner's client.

// Answers the learner's client as the test says, and remembers its calls.
class FakeFiles final : public Files::Service {
 public:
  // What UploadFileWithProgress answers. A refusal comes after the header.
  grpc::Status upload_status = grpc::Status::OK;
  // How many percent of the file it says to have, before it is finished.
  std::int64_t upload_percent = 50;
  // How often it says so, before it takes any chunk.
  int upload_reports = 1;

  // What DownloadFile has.
  std::string content;
  // Where its first calls break off, by UNAVAILABLE: how many bytes of the file
  // the client has then.
  std::vector<std::int64_t> breaks;
  // What it answers when all its breaks are used up, and how many bytes of the
  // file it then leaves out at its end.
  grpc::Status download_status = grpc::Status::OK;
  std::int64_t left_out = 0;
  bool answers = true;

  struct Upload {
    std::string text;  // its header and finish; empty: there was none
    std::string content;
  };
  Upload last_upload() {
    const std::lock_guard lock(mutex_);
    return last_upload_;
  }

  struct Download {
    std::string name;
    std::int64_t offset = 0;
    std::chrono::duration<double> left{};  // to its deadline, on arrival
  };
  std::vector<Download> downloads() {
    const std::lock_guard lock(mutex_);
    return downloads_;
  }

  static constexpr std::int64_t kPieceBytes = 10'000;

 private:
  grpc::Status UploadFileWithProgress(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<UploadProgress, UploadFileRequest>* stream)
      override {
    Upload upload;
    UploadProgress progress;
    UploadFileRequest request;
    while (!request.has_finish() && stream->Read(&request)) {
      if (request.has_chunk()) {
        upload.content += request.chunk();
      } else {
        if (!upload.text.empty()) upload.text += "\n";
        upload.text += TextOf(request);
      }
      {
        const std::lock_guard lock(mutex_);
        last_upload_ = upload;
      }
      if (!upload_status.ok()) return upload_status;
      if (!request.has_header()) continue;
      progress.set_received(request.header().size() * upload_percent / 100);
      for (int i = 0; i < upload_reports; ++i) stream->Write(progress);
    }
    progress.set_received(std::ssize(upload.content));
    UploadFileResponse& result = *progress.mutable_result();
    result.set_id("an-id");
    result.set_size(std::ssize(upload.content));
    result.set_sha256(Sha256(upload.content));
    result.set_chunks(1);
    stream->Write(progress);
    return grpc::Status::OK;
  }

  grpc::Status DownloadFile(
      grpc::ServerContext* context, const DownloadFileRequest* request,
      grpc::ServerWriter<DownloadFileResponse>* writer) override {
    std::size_t call = 0;
    {
      const std::lock_guard lock(mutex_);
      call = downloads_.size();
      downloads_.push_back({request->name(), request->offset(),
                            context->deadline() - system_clock::now()});
    }
    const bool breaks_off = call < breaks.size();
    if (!breaks_off && !download_status.ok()) return download_status;
    const std::int64_t size = std::ssize(content);
    const std::int64_t end = breaks_off ? breaks[call] : size - left_out;
    std::int64_t at = request->offset();
    if (at < 0 || at > size) return {StatusCode::OUT_OF_RANGE, "offset: bad"};
    DownloadFileResponse response;
    response.set_size(size);
    do {
      const std::int64_t piece =
          std::clamp(end - at, std::int64_t{0}, kPieceBytes);
      response.set_chunk(content.substr(static_cast<std::size_t>(at),
                                        static_cast<std::size_t>(piece)));
      writer->Write(response);
      at += piece;
    } while (at < end);
    if (!answers) WaitUntilCancelled(*context);
    if (breaks_off) return {StatusCode::UNAVAILABLE, "broken off"};
    return grpc::Status::OK;
  }

  std::mutex mutex_;
  Upload last_upload_;               // guarded by mutex_
  std::vector<Download> downloads_;  // guarded by mutex_
};

class Task5_Client : public ExerciseTest {
 protected:
  void SetUp() override {
    Read("exercises/03_file_upload/README.md#the-client");
  }

  ClientRun Run(std::vector<std::string> arguments, const std::string& scene,
                milliseconds limit = kCallLimit) {
    arguments.insert(arguments.begin(), {"--address", server_.address()});
    return RunClient(std::move(arguments), scene, limit);
  }

  // The client exited with 1, named `code` on stderr, and printed nothing else.
  // `if_it_runs` is what usually is behind it if it did not come to its end.
  void ExpectReported(
      const ClientRun& run, StatusCode code,
      const std::string& if_it_runs =
          "The client waits for something that does not come: a Read() or "
          "Write() that is false ends its loop, and Finish() comes last.") {
    if (!run.exit) {
      Usually(if_it_runs);
    } else if (run.exit == Exit{0, 0}) {
      Usually("The status that Finish() returns is not looked at.");
    } else if (!run.out.empty()) {
      Usually("What is printed on stdout is taken for a result.");
    } else {
      Usually(
          "Another status is told than the call ended with. Finish() has it; "
          "Read() and Write() only say that there is one.");
    }
    ExpectOf(run, run.exit == Exit{1, 0} && run.out.empty() &&
                      run.err.find(CodeName(code)) != std::string::npos);
  }

  // What the client has stored at `path` is `content`; nothing: it is not
  // there.
  void ExpectFile(const ClientRun& run, const std::string& path,
                  const std::optional<std::string>& content) {
    const bool is_there = fs::exists(path);
    const std::string actual = is_there ? ContentOf(path) : "";
    if (is_there == content.has_value() && actual == content.value_or(""))
      return;
    std::string is = path + " is not there";
    if (is_there) {
      is = fmt::format("{} has {} bytes", path, actual.size());
      if (!content) is += ", and should not be there";
    }
    if (content && actual.size() == content->size()) {
      const auto differs =
          std::mismatch(actual.begin(), actual.end(), content->begin());
      is += fmt::format(", but other ones, from byte {} on",
                        differs.first - actual.begin());
    } else if (content) {
      is += fmt::format(", and should have {}", content->size());
    }
    Fail(grader::v1::FAIL, {run.sent}, {is});
  }

  // The calls asked for `name` from these offsets on.
  void ExpectOffsets(const ClientRun& run, const std::string& name,
                     const std::vector<std::int64_t>& offsets) {
    std::vector<std::string> calls;
    bool as_expected = true;
    for (const FakeFiles::Download& call : files_.downloads()) {
      as_expected = as_expected && calls.size() < offsets.size() &&
                    call.name == name && call.offset == offsets[calls.size()];
      calls.push_back(fmt::format("DownloadFile(name: \"{}\", offset: {})",
                                  call.name, call.offset));
    }
    if (as_expected && calls.size() == offsets.size()) return;
    calls.insert(calls.begin(),
                 fmt::format("the server got {} calls, and not {}:",
                             calls.size(), offsets.size()));
    if (calls.size() == offsets.size() + 1) calls[0] = "the server got:";
    Fail(grader::v1::FAIL, {run.sent}, calls);
  }

  // The percentages that the client has shown, in their order.
  static std::vector<int> Percentages(const std::string& text) {
    std::vector<int> found;
    for (std::size_t at = text.find('%'); at != std::string::npos;
         at = text.find('%', at + 1)) {
      std::size_t begin = at;
      while (begin > 0 &&
             std::isdigit(static_cast<unsigned char>(text[begin - 1])) != 0) {
        --begin;
      }
      if (begin < at)
        found.push_back(std::stoi(text.substr(begin, at - begin)));
    }
    return found;
  }

  // Random bytes that are not too many for a test.
  std::string Content(std::int64_t low, std::int64_t high) {
    std::string content(static_cast<std::size_t>(Random(low, high)), '\0');
    std::mt19937_64 random(static_cast<std::uint64_t>(Random(0, 1LL << 62)));
    for (char& byte : content) byte = static_cast<char>(random());
    return content;
  }

  std::string Name() {
    return fmt::format("file-{}.bin", Random(0, 1'000'000));
  }

  FakeFiles files_;
  FakeServer server_{&files_};
};

TEST_F(Task5_Client, UploadsAFile) {
  Promises(
      "`client upload FILE` sends the file by UploadFileWithProgress, under "
      "its own name, with its size and its SHA-256; prints the SHA-256 of the "
      "result, two spaces and the name, as sha256sum does; and exits with 0.");
  for (const std::string& content :
       {Content(100'000, 300'000), std::string()}) {
    const std::string name = Name();
    fs::create_directories("some/where");
    WriteTo("some/where/" + name, content);
    const ClientRun run =
        Run({"upload", "some/where/" + name},
            fmt::format("the file has {} bytes; the server takes it",
                        content.size()));
    Usually("Compare with the line that `sha256sum` prints in that folder.");
    ExpectOf(run, run.exit == Exit{0, 0} &&
                      run.out == Sha256(content) + "  " + name + "\n");
    const FakeFiles::Upload upload = files_.last_upload();
    const std::string expected = TextOf(Header(name, std::ssize(content))) +
                                 "\n" + TextOf(Finish(Sha256(content)));
    Promises("It sends this, and between the two the bytes of the file:\n" +
             expected);
    if (upload.text != expected) {
      Usually("The header or the finish is incomplete, or there is no finish.");
      Fail(grader::v1::FAIL, {run.sent}, {"the server got:\n" + upload.text});
    }
    if (upload.content != content) {
      Usually(
          "The last chunk has fewer bytes than the others: gcount() tells how "
          "many were read.");
      Fail(grader::v1::FAIL, {run.sent},
           {fmt::format("of {} bytes, the server got {}, which are not those",
                        content.size(), upload.content.size())});
    }
  }
}

TEST_F(Task5_Client, ShowsHowFarAnUploadIs) {
  files_.upload_percent = Random(1, 99);
  Promises(fmt::format(
      "While it uploads, the client shows on stderr how many percent of the "
      "file have arrived, as the server says: here {}%, and 100% at the end.",
      files_.upload_percent));
  Usually(
      "Nobody reads what the server tells, or only when all has been sent, or "
      "what is shown is how much has been written.");
  const std::string name = Name();
  WriteTo(name,
          std::string(static_cast<std::size_t>(Random(1, 5)) * 100'000, 'x'));
  const ClientRun run =
      Run({"upload", name},
          fmt::format("the server says at first that it has {}% of the file",
                      files_.upload_percent));
  const std::vector<int> shown = Percentages(run.err);
  ExpectOf(run, run.exit == Exit{0, 0} && !shown.empty() &&
                    std::count(shown.begin(), shown.end(),
                               files_.upload_percent) > 0 &&
                    shown.back() == 100);
}

TEST_F(Task5_Client, ReadsWhileItSends) {
  Promises(
      "The client reads what the server tells while it sends, however often "
      "that is. (If nobody reads, the server must wait at some time, takes no "
      "more chunks, and so the client must wait too: for ever.)");
  // More than can be on the way in either direction.
  files_.upload_reports = 10'000;
  const std::string name = Name();
  WriteTo(name, std::string(8 * kMiB, 'x'));
  const ClientRun run =
      Run({"upload", name},
          "the server says 10,000 times how far it is, and only then takes the "
          "chunks",
          kLongCallLimit);
  Usually(
      "One thread first writes everything and then reads everything. Read in "
      "a thread of its own.");
  ExpectOf(run, run.exit == Exit{0, 0});
}

TEST_F(Task5_Client, ReportsARefusedUpload) {
  const auto code = static_cast<StatusCode>(Random(5, 9));
  Promises("If the upload is refused, the client names the code on stderr, " +
           CodeName(code) + ", prints nothing on stdout, and exits with 1.");
  files_.upload_status = {code, "not this one"};
  const std::string name = Name();
  // Too much to be sent before the refusal comes.
  WriteTo(name, std::string(8 * kMiB, 'x'));
  ExpectReported(
      Run({"upload", name}, "the server refuses the header: " + CodeName(code)),
      code);
}

TEST_F(Task5_Client, DownloadsAFile) {
  Promises(
      "`client download NAME FILE` makes one call, puts what comes into FILE, "
      "and exits with 0. FILE.part, where it was meanwhile, is gone.");
  for (const std::string& content :
       {Content(100'000, 200'000), std::string()}) {
    files_.content = content;
    const std::string name = Name(), path = "copy-of-" + name;
    const std::size_t calls = files_.downloads().size();
    const ClientRun run =
        Run({"download", name, path},
            fmt::format("the server sends all {} bytes", content.size()));
    ExpectOf(run, run.exit == Exit{0, 0} && run.out.empty());
    Usually("Bytes are missing, or changed: is the file written as binary?");
    ExpectFile(run, path, content);
    Usually("It is copied, or left: std::filesystem::rename() moves it.");
    ExpectFile(run, path + ".part", std::nullopt);
    if (calls == 0) ExpectOffsets(run, name, {0});
  }
}

TEST_F(Task5_Client, ShowsHowFarADownloadIs) {
  Promises(
      "While it downloads, the client shows on stderr how many percent of the "
      "file it has: at each tenth at the latest, and 100% at the end.");
  Usually(
      "The progress is shown at the end only, or of the bytes of one call "
      "instead of the file: size is the whole file's.");
  files_.content =
      Content(10 * FakeFiles::kPieceBytes, 10 * FakeFiles::kPieceBytes);
  const std::string name = Name();
  const ClientRun run = Run({"download", name, name},
                            "the server sends the file in ten messages");
  int before = 0;
  bool in_tenths = true;
  for (const int percent : Percentages(run.err)) {
    in_tenths = in_tenths && percent >= before && percent - before <= 10;
    before = percent;
  }
  ExpectOf(run, run.exit == Exit{0, 0} && in_tenths && before == 100);
}

TEST_F(Task5_Client, ResumesABrokenDownload) {
  Promises(
      "When the call ends with UNAVAILABLE, the client calls again, for the "
      "bytes that are missing; in up to five calls it gets the whole file, and "
      "exits with 0.");
  files_.content = Content(100'000, 200'000);
  const std::string name = Name(), path = "copy-of-" + name;
  std::vector<std::int64_t> offsets = {0};
  for (int i = 0; i < 4; ++i) {
    offsets.push_back(Random(offsets.back() + 1, offsets.back() + 25'000));
  }
  files_.breaks.assign(offsets.begin() + 1, offsets.end());
  const ClientRun run =
      Run({"download", name, path},
          fmt::format("the server breaks off with UNAVAILABLE when {} of {} "
                      "bytes have been sent, and sends all in the fifth call",
                      fmt::join(files_.breaks, ", "), files_.content.size()));
  Usually("UNAVAILABLE is taken for the end; it means: try again.");
  ExpectOf(run, run.exit == Exit{0, 0} && run.out.empty());
  Usually(
      "The offset of each call is the number of bytes in FILE.part. Has all "
      "been written there, and the file been closed, before it is asked for "
      "its size?");
  ExpectOffsets(run, name, offsets);
  Usually("What comes is to be appended to FILE.part: std::ios::app.");
  ExpectFile(run, path, files_.content);
}

TEST_F(Task5_Client, GoesOnWhereAnEarlierRunEnded) {
  Promises(
      "If FILE.part is there, the download goes on behind the bytes that it "
      "has.");
  Usually(
      "FILE.part is begun anew (std::ios::app appends), or its size is not "
      "used as the offset.");
  files_.content = Content(100'000, 200'000);
  const std::string name = Name(), path = "copy-of-" + name;
  const std::int64_t there = Random(1, std::ssize(files_.content) - 1);
  WriteTo(path + ".part", files_.content.substr(0, there));
  const ClientRun run = Run({"download", name, path},
                            fmt::format("{}.part has the first {} bytes of {}",
                                        path, there, files_.content.size()));
  ExpectOf(run, run.exit == Exit{0, 0});
  ExpectOffsets(run, name, {there});
  ExpectFile(run, path, files_.content);
}

TEST_F(Task5_Client, GivesUpAfterFiveCalls) {
  Promises(
      "After five calls that have ended with UNAVAILABLE, the client names "
      "that on stderr and exits with 1. FILE.part stays, for the next run.");
  files_.content = Content(100'000, 200'000);
  const std::int64_t first = Random(1, 50'000);
  files_.breaks.assign(100, first);
  const std::string name = Name(), path = "copy-of-" + name;
  const ClientRun run =
      Run({"download", name, path},
          fmt::format("the server has only the first {} bytes "
                      "of {}, and then says UNAVAILABLE",
                      first, files_.content.size()));
  ExpectReported(run, StatusCode::UNAVAILABLE,
                 "The client calls again and again, or waits too long before "
                 "it does.");
  Usually(
      "Too many calls keep a server down that is in trouble, and too few give "
      "up too early.");
  ExpectOffsets(run, name, {0, first, first, first, first});
  Usually("What has come is to be kept in FILE.part, and not in FILE.");
  ExpectFile(run, path, std::nullopt);
  ExpectFile(run, path + ".part", files_.content.substr(0, first));
}

TEST_F(Task5_Client, DoesNotRepeatWhatWouldFailAgain) {
  const auto code = static_cast<StatusCode>(Random(5, 9));
  Promises(
      "Only UNAVAILABLE is worth another call. After any other code, here " +
      CodeName(code) +
      ", the client names it on stderr and exits with 1; there is no FILE.");
  files_.download_status = {code, "not this one"};
  const std::string name = Name();
  const ClientRun run =
      Run({"download", name, name}, "the server refuses: " + CodeName(code));
  ExpectReported(run, code);
  Usually("Every failed call is repeated, whatever its code says.");
  ExpectOffsets(run, name, {0});
  Usually("FILE is created before anything has come.");
  ExpectFile(run, name, std::nullopt);
}

TEST_F(Task5_Client, DoesNotTakeAPartForTheWhole) {
  Promises(
      "If a call succeeds and fewer bytes are there than the file has, the "
      "client says DATA_LOSS on stderr and exits with 1; there is no FILE.");
  files_.content = Content(100'000, 200'000);
  files_.left_out = Random(1, 50'000);
  const std::string name = Name();
  const ClientRun run =
      Run({"download", name, name},
          fmt::format("the server says OK, but leaves out the last {} of {} "
                      "bytes",
                      files_.left_out, files_.content.size()));
  ExpectReported(run, StatusCode::DATA_LOSS);
  Usually("The file gets its name before it is known to be complete.");
  ExpectFile(run, name, std::nullopt);
}

TEST_F(Task5_Client, EndsWithinItsTimeout) {
  Promises(
      "`--timeout` is the deadline of every call: against a server that stops "
      "in the middle the client says DEADLINE_EXCEEDED on stderr and exits "
      "with 1.");
  files_.content = Content(100'000, 200'000);
  files_.left_out = Random(1, 50'000);
  files_.answers = false;
  const std::string name = Name();
  const ClientRun run = Run({"--timeout", "0.5", "download", name, name},
                            "the server sends a part, and then nothing more");
  ExpectReported(run, StatusCode::DEADLINE_EXCEEDED,
                 "The context has no deadline, or not the one that was asked "
                 "for. Without one a call waits for ever.");
  const auto calls = files_.downloads();
  if (calls.size() > 1) {
    Usually("After its deadline, no call is worth another one.");
    ExpectOffsets(run, name, {0});
  }
  // Told by the deadline that the server has seen, and not by how long the
  // client took: that depends on how busy the machine is. So does whether the
  // call has reached the server at all.
  if (calls.empty() || calls[0].left < milliseconds(600)) return;
  Usually("The deadline is always the same, whatever --timeout says.");
  Fail(grader::v1::FAIL, {run.sent},
       {"the server was called with " +
        Seconds(std::chrono::duration_cast<milliseconds>(calls[0].left)) +
        " left"});
}

}  // namespace
}  // namespace workshop::testing
