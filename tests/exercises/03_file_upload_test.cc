// What exercises/03_file_upload/README.md promises, one test per promise.

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lessons/common/program.h"
#include "tests/exercises/03_file_upload/calls.h"
#include "tests/exercises/03_file_upload/fake_files.h"
#include "tests/exercises/03_file_upload/files_test.h"
#include "tests/support/exercise_test.h"
#include "tests/support/fake_server.h"

namespace workshop::testing {
namespace {

using grpc::StatusCode;
using std::chrono::milliseconds;

constexpr char kContract[] = "exercises/03_file_upload/README.md#the-contract";
constexpr char kWhichEnd[] =
    "lessons/04_streaming/README.md"
    "#is-it-the-end-of-the-file-or-of-the-client";
constexpr char kFlowControl[] =
    "lessons/04_streaming/README.md"
    "#flow-control-the-slow-reader-stops-the-writer";

[[maybe_unused]] const bool kMuch = TakeMuch(
    {"Task1_Upload.UsesLittleMemory", "Task4_Download.UsesLittleMemory",
     "Task5_Client.ReadsWhileItSends"});

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
  ExpectKeeps(NewFile(1, 100));
  ExpectKeeps(NewFile(200'000, 300'000), Random(1000, 50'000));
}

TEST_F(Task1_Upload, KeepsAnEmptyFile) {
  Promises("A file may have no bytes at all: header and finish will do.");
  Usually(
      "The file is created with the first chunk, or an upload without one is "
      "taken for incomplete.");
  ExpectKeeps(NewFile(0));
}

TEST_F(Task1_Upload, TakesWhatIsDeclaredRightly) {
  Promises("A declared size and a declared SHA-256 that are right are fine.");
  UsuallyIf(StatusCode::DATA_LOSS,
            "Both are right here. The size is that of all chunks together, and "
            "the SHA-256 is in lower-case hexadecimal digits.");
  const File file = NewFile(1000, 2000);
  ExpectKept(
      Upload({Header(file.name, file.size()),
              Chunk(file.content.substr(0, 500)),
              Chunk(file.content.substr(500)), Finish(Sha256(file.content))}),
      file, 2);
}

TEST_F(Task1_Upload, GivesEachUploadAnIdOfItsOwn) {
  Promises(
      "The id names an upload among all that there have been, before a "
      "restart of the server too.");
  std::map<std::string, std::string> names;  // by id
  const auto keep = [&] {
    const File file = NewFile(100);
    const std::string id = ExpectKeeps(file);
    const auto [other, is_new] = names.emplace(id, file.name);
    if (is_new) return;
    Fail({"uploads of " + other->second + " and " + file.name},
         {"both had the id \"" + id + "\""});
  };
  Usually("The id is made of something that two uploads share.");
  keep();
  keep();
  Restart();
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
  File files[] = {NewFile(0), NewFile(0), NewFile(0)};
  RunningUpload uploads[] = {Begin(), Begin(), Begin()};
  for (int i = 0; i < 3; ++i) uploads[i].Send(Header(files[i].name));
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 3; ++i) {
      // More than is sent ahead, so that the server is at work on all.
      const std::string chunk = Bytes(Random(100'000, 200'000));
      files[i].content += chunk;
      uploads[i].Send(Chunk(chunk));
    }
  }
  // All are finished before one is looked at, so that the folder has each.
  std::vector<Outcome<UploadFileResponse>> outcomes;
  for (int i = 0; i < 3; ++i) {
    uploads[i].Send(Finish());
    outcomes.push_back(uploads[i].End());
    if (!outcomes[i].status.ok()) break;
    ExpectInFolder(files[i]);
  }
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    ExpectKept(outcomes[i], files[i], 4);
  }
}

TEST_F(Task1_Upload, LeavesNothingOfAnUnfinishedUpload) {
  Read(kWhichEnd);
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
  ExpectKeeps(NewFile(1, 1000));
  const File file = NewFile(1000);
  ExpectRefused(Upload(file.Beginning(1000)), StatusCode::INVALID_ARGUMENT);
  ExpectRefused(Upload({Header(file.name)}), StatusCode::INVALID_ARGUMENT);
  Usually(
      "An upload that has failed must not keep its name from the next one.");
  ExpectKeeps(file);
}

TEST_F(Task1_Upload, LeavesNothingOfACancelledUpload) {
  Read(kWhichEnd);
  Promises(
      "An upload that its client cancels leaves nothing in the folder. (It is "
      "looked at when the server has stopped, and so is done with the call.)");
  Usually(
      "Whatever came before is kept, or its temporary file remains. To the "
      "server, a cancelled call looks like a half-closed one: Read() returns "
      "false. What tells them apart is the finish.");
  ExpectKeeps(NewFile(1, 1000));
  std::string sent;
  {
    RunningUpload upload = Begin();
    upload.Send(Header(Name(), 10 * kMiB));
    upload.Send(Messages(20, Chunk(Bytes(64 * kKiB))));
    sent = upload.Cancel().sent;
  }
  Stop();
  ExpectFolder(sent);
}

TEST_F(Task1_Upload, CleansUpAfterItWasKilled) {
  Read(kContract);
  Promises(
      "When the server is killed during an upload and started again, nothing "
      "of that upload is in the folder, and all that was kept before is.");
  Usually(
      "A program that is killed removes nothing: main() has to, before it "
      "listens again. IncomingFile::RemoveLeftovers() does.");
  ExpectKeeps(NewFile(1, 1000));
  RunningUpload upload = Begin();
  upload.Send(Header(Name()));
  // More than windows and buffers hold, so that the server is at work on it.
  upload.Send(Messages(64, Chunk(Bytes(64 * kKiB))));
  server().process().Kill();
  const std::string sent = upload.End(/*half_close=*/false).sent;
  Start();
  ExpectFolder(sent + "\n$ kill -KILL SERVER, and a new one is started");
}

TEST_F(Task1_Upload, UsesLittleMemory) {
  Read(kFlowControl);
  Promises(
      "However large a file is, the server does not hold it in memory: it "
      "grows by less than 64 MiB while it takes 256 MiB.");
  Usually(
      "The chunks are collected, and written when all are there. Write each "
      "chunk as it comes. Or main() does not set GRPC_ARG_HTTP2_BDP_PROBE to "
      "0, as the skeleton's does.");
  ExpectKeeps(NewFile(1, 1000));
  const std::size_t before = Memory();
  RunningUpload upload = Begin();
  bool open = upload.Send(Header(Name()));
  const UploadFileRequest chunk = Chunk(Bytes(kMiB));
  for (int i = 0; open && i < 256; ++i) open = upload.Send(chunk);
  if (!open) ExpectOf(upload.End(/*half_close=*/false), false);
  // Not finished: what is to be seen has been seen, and the disk is spared.
  ExpectLittleGrowth(upload.Cancel().sent, before);
}

// Names that are not of the folder; some of them mean the file of this name.
std::vector<std::string> BadNames(const std::string& name) {
  return {"",
          ".",
          "..",
          "../" + name,
          "a/" + name,
          fs::absolute(name).string(),
          name + "/",
          "a" + std::string(1, '\0') + name,
          "." + name,
          name + std::string(1, '\0'),
          std::string(256, 'x')};
}

class Task2_Refusals : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Read(kContract);
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
  for (const UploadFileRequest& message :
       {Chunk(Bytes(10)), Finish(), UploadFileRequest()}) {
    ExpectRefusedAtOnce({message}, StatusCode::INVALID_ARGUMENT);
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
    ExpectRefusedAtOnce({Header(name), Chunk(chunk), message},
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
  for (const std::string& name : BadNames(Name())) {
    ExpectRefusedAtOnce({Header(name)}, StatusCode::INVALID_ARGUMENT);
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
    ExpectKeeps({name, Bytes(100)});
  }
}

TEST_F(Task2_Refusals, RejectsADeclaredSizeBeforeAnyChunk) {
  Promises(
      "A file that is declared larger than --max-bytes is refused with "
      "RESOURCE_EXHAUSTED before a chunk of it has come; a negative size with "
      "INVALID_ARGUMENT.");
  const std::int64_t most = Random(1000, 100'000);
  Start({"--max-bytes", std::to_string(most)});
  for (const auto& [size, code] :
       {std::pair(most + 1, StatusCode::RESOURCE_EXHAUSTED),
        std::pair(std::int64_t{1} << 62, StatusCode::RESOURCE_EXHAUSTED),
        std::pair(-Random(1, 1000), StatusCode::INVALID_ARGUMENT)}) {
    ExpectRefusedAtOnce({Header(Name(), size)}, code);
  }
}

TEST_F(Task2_Refusals, RejectsWhatGrowsTooLarge) {
  Promises(
      "The chunk that makes a file larger than --max-bytes is refused with "
      "RESOURCE_EXHAUSTED at once. A file of just that size is fine.");
  const std::int64_t most = Random(10'000, 100'000);
  Start({"--max-bytes", std::to_string(most)});
  UsuallyIf(StatusCode::RESOURCE_EXHAUSTED,
            "The file has as many bytes as it may have, and not one more.");
  ExpectKeeps(NewFile(most), 10'000);
  UsuallyIf(StatusCode::OK,
            "Only the declared size is looked at. A client need not declare "
            "one, and may declare a wrong one.");
  Messages messages = NewFile(most + 1).Beginning(10'000);
  ExpectRefusedAtOnce(messages, StatusCode::RESOURCE_EXHAUSTED);
  // Far from what is declared, too.
  messages.front() = Header(Name(), 10);
  const auto outcome = Upload(messages, /*half_close=*/false);
  if (outcome.status.error_code() == StatusCode::DATA_LOSS) return;
  ExpectRefused(outcome, StatusCode::RESOURCE_EXHAUSTED);
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
  const std::int64_t size = Random(100, 1000);
  for (const std::int64_t wrong : {size + 1, size - 1, std::int64_t{0}}) {
    ExpectRefused(Upload({Header(Name(), wrong), Chunk(Bytes(size)), Finish()}),
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
  const File file = NewFile(1, 1000);
  ExpectKeeps(file);
  ExpectRefusedAtOnce({Header(file.name)}, StatusCode::ALREADY_EXISTS);
  Usually("The server knows only the names that it was told since its start.");
  Restart();
  ExpectRefusedAtOnce({Header(file.name)}, StatusCode::ALREADY_EXISTS);
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
  // More than is sent ahead, so that the server is at work on both.
  const File first = NewFile(kMiB), second = {first.name, Bytes(kMiB)};
  RunningUpload uploads[] = {Begin(), Begin()};
  uploads[0].Send(first.Beginning(64 * kKiB));
  uploads[1].Send(second.Beginning(64 * kKiB));
  const auto winner = Random(0, 1);
  uploads[winner].Send(Finish());
  ExpectKept(uploads[winner].End(), winner == 0 ? first : second, 16,
             /*alone=*/false);
  uploads[1 - winner].Send(Finish());
  ExpectRefused(uploads[1 - winner].End(), StatusCode::ALREADY_EXISTS);
}

TEST_F(Task2_Refusals, GoesOnAfterARefusal) {
  Promises("A refused upload changes nothing for the uploads after it.");
  const File file = NewFile(100);
  ExpectRefused(
      Upload({Header(file.name), Chunk(file.content), Finish(Sha256(""))}),
      StatusCode::DATA_LOSS);
  UsuallyIf(StatusCode::ALREADY_EXISTS,
            "The name was reserved, or given, although the upload failed.");
  UsuallyIf(StatusCode::DATA_LOSS,
            "Nothing is declared in this upload, but in the one before: "
            "something is kept in a member of the service.");
  ExpectKeeps(file);
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
};

TEST_F(Task3_Progress, EndsWithTheResult) {
  Promises(
      "The last message of UploadFileWithProgress has received, the size of "
      "the whole file, and result, what UploadFile would have answered; no "
      "message before it has a result.");
  for (const File& file : {NewFile(2'000'000, 3'000'000), NewFile(0)}) {
    const Messages beginning = file.Beginning(100'000);
    RunningUploadWithProgress upload = BeginWithProgress();
    upload.Send(beginning);
    upload.Send(Finish());
    const Outcome<UploadProgress> outcome = upload.End();
    UploadProgress last;
    last.set_received(file.size());
    *last.mutable_result() =
        file.Result(std::ssize(beginning) - 1, outcome.response.result().id());
    ExpectResponse(outcome, last);
    const std::vector<UploadProgress>& messages = upload.messages();
    for (std::size_t i = 0; i + 1 < messages.size(); ++i) {
      if (!messages[i].has_result()) continue;
      Fail({outcome.sent},
           {fmt::format("message {} of {} has a result: {}", i + 1,
                        messages.size(), TextOf(messages[i]))});
    }
    ExpectInFolder(file);
    ExpectFolder(outcome.sent);
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
  RunningUploadWithProgress upload = BeginWithProgress();
  upload.Send(Header(Name()));
  const std::string chunk = Bytes(Random(100'000, 200'000));
  std::int64_t total = 0, received = 0;
  while (total < 3'500'000) {
    upload.Send(Chunk(chunk));
    total += std::ssize(chunk);
    while (total - received >= kMiB) {
      const std::int64_t before = received;
      const std::optional<UploadProgress> progress = upload.Read();
      if (!progress) ExpectOf(upload.End(/*half_close=*/false), false);
      received = progress->received();
      if (received >= before && received <= total) continue;
      Fail({upload.sent()},
           {fmt::format("received: {}, after received: {}; {} bytes were sent",
                        received, before, total)});
    }
  }
  upload.Cancel();
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
  const UploadFileRequest chunk = Chunk(Bytes(Random(10, 1000)));
  const auto refuse = [&](const Messages& messages, bool half_close,
                          StatusCode code) {
    RunningUploadWithProgress upload = BeginWithProgress();
    upload.Send(messages);
    ExpectRefused(upload.End(half_close), code);
  };
  refuse({chunk}, false, StatusCode::INVALID_ARGUMENT);
  refuse({Header("../" + Name())}, false, StatusCode::INVALID_ARGUMENT);
  refuse({Header(Name(), most + 1)}, false, StatusCode::RESOURCE_EXHAUSTED);
  refuse({Header(Name()), Chunk(Bytes(most + 1))}, false,
         StatusCode::RESOURCE_EXHAUSTED);
  refuse({Header(Name()), chunk, Finish(Sha256(""))}, true,
         StatusCode::DATA_LOSS);
  UsuallyIf(StatusCode::OK,
            "Half-closed without a finish: Read() returned false, and that was "
            "taken for the end of the file.");
  refuse({Header(Name()), chunk}, true, StatusCode::INVALID_ARGUMENT);
}

class Task4_Download : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    Read(kContract);
    Usually(
        "Other bytes came than the file has there, or size is not set in every "
        "message. Open the file as binary, and read as many bytes as are left: "
        "the last piece is shorter.");
  }

  // Downloads what `file` has from the offset on.
  void ExpectSends(const File& file, std::int64_t offset = 0,
                   milliseconds limit = kCallLimit) {
    DownloadFileResponse expected;
    expected.set_size(file.size());
    expected.set_chunk(file.content.substr(static_cast<std::size_t>(offset)));
    ExpectResponse(Download(file.name, offset, limit), expected);
  }

  // A file that is in the folder, without the server's doing.
  File NewFileInFolder(std::int64_t low, std::int64_t high) {
    const File file = NewFile(low, high);
    Put(file);
    return file;
  }
};

TEST_F(Task4_Download, SendsAFile) {
  Promises(
      "DownloadFile sends all bytes of the file, and its size in every "
      "message.");
  ExpectSends(NewFileInFolder(1, 1000));
  UsuallyIf(StatusCode::RESOURCE_EXHAUSTED,
            "A message has at most 4 MiB: send a file in pieces.");
  ExpectSends(NewFileInFolder(5'000'000, 6'000'000), 0, kLongCallLimit);
}

TEST_F(Task4_Download, SendsTheSizeWithoutAnyBytes) {
  Promises(
      "There is at least one message, which has the size of the file, even if "
      "there are no bytes to send: of an empty file, or from its very end.");
  Usually(
      "Without bytes to send, no message is sent (a do loop sends one), or "
      "size is not the whole file's.");
  const File file = NewFileInFolder(1, 1000);
  ExpectSends(file, file.size());
  // Its size is 0, which a message has that was never sent, too.
  int messages = 0;
  const auto outcome =
      Download(NewFileInFolder(0, 0).name, 0, kCallLimit,
               [&](const std::string& /*bytes*/) { ++messages; });
  ExpectResponse(outcome, DownloadFileResponse());
  if (messages == 0) Fail({outcome.sent}, {"OK, without any message"});
}

TEST_F(Task4_Download, GoesOnFromAnOffset) {
  Promises(
      "With an offset, DownloadFile leaves out so many bytes at the beginning; "
      "size is the whole file's all the same.");
  Usually(
      "The offset is not used, or it is taken off the size as well: size is "
      "what the whole file has, so that a client knows when it has all.");
  const File file = NewFileInFolder(200'000, 300'000);
  for (const std::int64_t offset :
       {std::int64_t{1}, Random(2, 199'999), file.size() - 1}) {
    ExpectSends(file, offset);
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
  const File file = NewFileInFolder(1, 1000);
  for (const std::int64_t over : {std::int64_t{1}, Random(2, 1LL << 62)}) {
    ExpectRefusal(Download(file.name, file.size() + over),
                  StatusCode::OUT_OF_RANGE);
  }
  UsuallyIf(StatusCode::OUT_OF_RANGE,
            "No file has a negative offset: that can never be right.");
  ExpectRefusal(Download(file.name, -Random(1, 1000)),
                StatusCode::INVALID_ARGUMENT);
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
  const File secret = NewFile(10);
  WriteTo(secret.name, secret.content);
  Put({"." + secret.name, secret.content});
  for (const std::string& name : BadNames(secret.name)) {
    ExpectRefusal(Download(name, 0), StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(Task4_Download, UsesLittleMemory) {
  Read(kFlowControl);
  Promises(
      "However large a file is, the server does not hold it in memory: it "
      "grows by less than 64 MiB while it sends 96 MiB.");
  Usually(
      "The file is read as a whole before it is sent. Read a piece, write it, "
      "and read the next one: Write() waits while the client is busy.");
  constexpr std::int64_t kSize = 96 * kMiB;
  ExpectSends(NewFileInFolder(1, 1));
  const File large = NewFileInFolder(0, 0);
  fs::resize_file(fs::path(kFolder) / large.name, kSize);  // takes no room
  const std::size_t before = Memory();
  std::int64_t received = 0;
  const auto outcome = Download(
      large.name, 0, kLongCallLimit,
      [&](const std::string& chunk) { received += std::ssize(chunk); });
  DownloadFileResponse expected = outcome.response;
  expected.set_size(kSize);
  ExpectResponse(outcome, expected);
  if (received != kSize) {
    Fail({outcome.sent}, {fmt::format("OK, and {} bytes", received)});
  }
  ExpectLittleGrowth(outcome.sent, before);
}

// Runs the learner's client against a server of the suite's.
class Task5_Client : public FilesTest {
 protected:
  void SetUp() override {
    Read("exercises/03_file_upload/README.md#the-client");
    files_.content = file_.content;
  }

  ClientRun Run(std::vector<std::string> arguments, const std::string& scene,
                milliseconds limit = kCallLimit) {
    arguments.insert(arguments.begin(), {"--address", server_.address()});
    return RunClient(std::move(arguments), scene, limit);
  }
  // Uploads a file of so many bytes.
  ClientRun RunUpload(std::int64_t size, const std::string& scene,
                      milliseconds limit = kCallLimit) {
    WriteTo(file_.name, std::string(static_cast<std::size_t>(size), 'x'));
    return Run({"upload", file_.name}, scene, limit);
  }
  // Downloads file_ as copy_.
  ClientRun RunDownload(const std::string& scene) {
    return Run({"download", file_.name, copy_}, scene);
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

  // The client's file at `path` has `content`; nothing: it is not there.
  void ExpectFile(const ClientRun& run, const std::string& path,
                  const std::optional<std::string>& content) {
    const std::string problem = ProblemOf(path, content);
    if (!problem.empty()) Fail({run.sent}, {problem});
  }

  // The calls asked for file_ from these offsets on.
  void ExpectOffsets(const ClientRun& run,
                     const std::vector<std::int64_t>& offsets) {
    std::vector<std::string> expected, came;
    const auto call = [](const std::string& name, std::int64_t offset) {
      return fmt::format("DownloadFile(name: \"{}\", offset: {})", name,
                         offset);
    };
    for (const std::int64_t offset : offsets) {
      expected.push_back(call(file_.name, offset));
    }
    for (const FakeFiles::Download& download : files_.downloads()) {
      came.push_back(call(download.name, download.offset));
    }
    if (came == expected) return;
    came.insert(came.begin(),
                came.size() == expected.size()
                    ? "the server got:"
                    : fmt::format("the server got {} calls, and not {}:",
                                  came.size(), expected.size()));
    Fail({run.sent}, came);
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

  // Any from NOT_FOUND to FAILED_PRECONDITION.
  StatusCode AnyCode() { return static_cast<StatusCode>(Random(5, 9)); }

  const File file_ = NewFile(100'000, 200'000);
  const std::string copy_ = "copy-of-" + file_.name;
  FakeFiles files_;
  FakeServer server_{&files_};
};

TEST_F(Task5_Client, UploadsAFile) {
  const std::string promise =
      "`client upload FILE` sends the file by UploadFileWithProgress, under "
      "its own name, with its size and its SHA-256; prints the SHA-256 of the "
      "result, two spaces and the name, as sha256sum does; and exits with 0.";
  fs::create_directories("some/where");
  for (const File& file : {file_, NewFile(0)}) {
    Promises(promise);
    WriteTo("some/where/" + file.name, file.content);
    const ClientRun run = Run(
        {"upload", "some/where/" + file.name},
        fmt::format("the file has {} bytes; the server takes it", file.size()));
    const std::string hash = Sha256(file.content);
    Usually("Compare with the line that `sha256sum` prints in that folder.");
    ExpectOf(run, run.exit == Exit{0, 0} &&
                      run.out == hash + "  " + file.name + "\n");
    const FakeFiles::Upload upload = files_.last_upload();
    const std::string expected =
        TextOf(Header(file.name, file.size())) + "\n" + TextOf(Finish(hash));
    Promises("It sends this, and between the two the bytes of the file:\n" +
             expected);
    if (upload.text != expected) {
      Usually("The header or the finish is incomplete, or there is no finish.");
      Fail({run.sent}, {"the server got:\n" + upload.text});
    }
    if (upload.content != file.content) {
      Usually(
          "The last chunk has fewer bytes than the others: gcount() tells how "
          "many were read.");
      Fail({run.sent},
           {fmt::format("of {} bytes, the server got {}, which are not those",
                        file.size(), upload.content.size())});
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
  const ClientRun run =
      RunUpload(Random(1, 5) * 100'000,
                fmt::format("the server says at first that it has {}% of the "
                            "file",
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
  const ClientRun run = RunUpload(
      8 * kMiB,
      "the server says 10,000 times how far it is, and only then takes the "
      "chunks",
      kLongCallLimit);
  Usually(
      "One thread first writes everything and then reads everything. Read in "
      "a thread of its own.");
  ExpectOf(run, run.exit == Exit{0, 0});
}

TEST_F(Task5_Client, ReportsARefusedUpload) {
  const StatusCode code = AnyCode();
  Promises("If the upload is refused, the client names the code on stderr, " +
           CodeName(code) + ", prints nothing on stdout, and exits with 1.");
  files_.upload_status = {code, "not this one"};
  // Too much to be sent before the refusal comes.
  const ClientRun run =
      RunUpload(8 * kMiB, "the server refuses the header: " + CodeName(code));
  ExpectReported(run, code);
}

TEST_F(Task5_Client, DownloadsAFile) {
  Promises(
      "`client download NAME FILE` makes one call, puts what comes into FILE, "
      "and exits with 0. FILE.part, where it was meanwhile, is gone.");
  for (const std::string& content : {file_.content, std::string()}) {
    files_.content = content;
    const ClientRun run = RunDownload(
        fmt::format("the server sends all {} bytes", content.size()));
    ExpectOf(run, run.exit == Exit{0, 0} && run.out.empty());
    Usually("Bytes are missing, or changed: is the file written as binary?");
    ExpectFile(run, copy_, content);
    Usually("It is copied, or left: std::filesystem::rename() moves it.");
    ExpectFile(run, copy_ + ".part", std::nullopt);
    if (!content.empty()) ExpectOffsets(run, {0});
    fs::remove(copy_);
  }
}

TEST_F(Task5_Client, ShowsHowFarADownloadIs) {
  Promises(
      "While it downloads, the client shows on stderr how many percent of the "
      "file it has: at each tenth at the latest, and 100% at the end.");
  Usually(
      "The progress is shown at the end only, or of the bytes of one call "
      "instead of the file: size is the whole file's.");
  files_.content = Bytes(10 * FakeFiles::kPieceBytes);
  const ClientRun run =
      RunDownload("the server sends the file in ten messages");
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
  std::vector<std::int64_t> offsets = {0};
  for (int i = 0; i < 4; ++i) {
    offsets.push_back(Random(offsets.back() + 1, offsets.back() + 25'000));
  }
  files_.breaks.assign(offsets.begin() + 1, offsets.end());
  const ClientRun run = RunDownload(
      fmt::format("the server breaks off with UNAVAILABLE when {} of {} bytes "
                  "have been sent, and sends all in the fifth call",
                  fmt::join(files_.breaks, ", "), file_.size()));
  Usually("UNAVAILABLE is taken for the end; it means: try again.");
  ExpectOf(run, run.exit == Exit{0, 0} && run.out.empty());
  Usually(
      "The offset of each call is the number of bytes in FILE.part. Has all "
      "been written there, and the file been closed, before it is asked for "
      "its size?");
  ExpectOffsets(run, offsets);
  Usually("What comes is to be appended to FILE.part: std::ios::app.");
  ExpectFile(run, copy_, file_.content);
}

TEST_F(Task5_Client, GoesOnWhereAnEarlierRunEnded) {
  Promises(
      "If FILE.part is there, the download goes on behind the bytes that it "
      "has.");
  Usually(
      "FILE.part is begun anew (std::ios::app appends), or its size is not "
      "used as the offset.");
  const std::int64_t there = Random(1, file_.size() - 1);
  WriteTo(copy_ + ".part", file_.content.substr(0, there));
  const ClientRun run = RunDownload(fmt::format(
      "{}.part has the first {} bytes of {}", copy_, there, file_.size()));
  ExpectOf(run, run.exit == Exit{0, 0});
  ExpectOffsets(run, {there});
  ExpectFile(run, copy_, file_.content);
}

TEST_F(Task5_Client, GivesUpAfterFiveCalls) {
  Promises(
      "After five calls that have ended with UNAVAILABLE, the client names "
      "that on stderr and exits with 1. FILE.part stays, for the next run.");
  const std::int64_t first = Random(1, 50'000);
  files_.breaks.assign(100, first);
  const ClientRun run = RunDownload(
      fmt::format("the server has only the first {} bytes of {}, and then says "
                  "UNAVAILABLE",
                  first, file_.size()));
  ExpectReported(run, StatusCode::UNAVAILABLE,
                 "The client calls again and again, or waits too long before "
                 "it does.");
  Usually(
      "Too many calls keep a server down that is in trouble, and too few give "
      "up too early.");
  ExpectOffsets(run, {0, first, first, first, first});
  Usually("What has come is to be kept in FILE.part, and not in FILE.");
  ExpectFile(run, copy_, std::nullopt);
  ExpectFile(run, copy_ + ".part", file_.content.substr(0, first));
}

TEST_F(Task5_Client, DoesNotRepeatWhatWouldFailAgain) {
  const StatusCode code = AnyCode();
  Promises(
      "Only UNAVAILABLE is worth another call. After any other code, here " +
      CodeName(code) +
      ", the client names it on stderr and exits with 1; there is no FILE.");
  files_.download_status = {code, "not this one"};
  const ClientRun run = RunDownload("the server refuses: " + CodeName(code));
  ExpectReported(run, code);
  Usually("Every failed call is repeated, whatever its code says.");
  ExpectOffsets(run, {0});
  Usually("FILE is created before anything has come.");
  ExpectFile(run, copy_, std::nullopt);
}

TEST_F(Task5_Client, DoesNotTakeAPartForTheWhole) {
  Promises(
      "If a call succeeds and fewer bytes are there than the file has, the "
      "client says DATA_LOSS on stderr and exits with 1; there is no FILE.");
  files_.left_out = Random(1, 50'000);
  const ClientRun run = RunDownload(
      fmt::format("the server says OK, but leaves out the last {} of {} bytes",
                  files_.left_out, file_.size()));
  ExpectReported(run, StatusCode::DATA_LOSS);
  Usually("The file gets its name before it is known to be complete.");
  ExpectFile(run, copy_, std::nullopt);
}

TEST_F(Task5_Client, EndsWithinItsTimeout) {
  Promises(
      "`--timeout` is the deadline of every call: against a server that stops "
      "in the middle the client says DEADLINE_EXCEEDED on stderr and exits "
      "with 1.");
  files_.left_out = Random(1, 50'000);
  files_.answers = false;
  const ClientRun run = Run({"--timeout", "0.5", "download", file_.name, copy_},
                            "the server sends a part, and then nothing more");
  ExpectReported(run, StatusCode::DEADLINE_EXCEEDED,
                 "The context has no deadline, or not the one that was asked "
                 "for. Without one a call waits for ever.");
  // On a busy machine the call may never have come to the server.
  const std::vector<FakeFiles::Download> calls = files_.downloads();
  if (calls.empty()) return;
  Usually("After its deadline, no call is worth another one.");
  ExpectOffsets(run, {0});
  ExpectDeadline(run, milliseconds(500), calls[0].left);
}

}  // namespace
}  // namespace workshop::testing
