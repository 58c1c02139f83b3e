// The calls of workshop.files.v1.Files as the suite makes them, message by
// message, and how a learner is told what was sent.

#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <openssl/evp.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/exercise_test.h"
#include "workshop/files/v1/files.grpc.pb.h"

namespace workshop::testing {

using files::v1::DownloadFileRequest;
using files::v1::DownloadFileResponse;
using files::v1::Files;
using files::v1::UploadFileRequest;
using files::v1::UploadFileResponse;
using files::v1::UploadProgress;

inline std::string Sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i)
    hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

// --- The messages of an upload.

using Messages = std::vector<UploadFileRequest>;

inline UploadFileRequest Header(
    const std::string& name, std::optional<std::int64_t> size = std::nullopt) {
  UploadFileRequest request;
  request.mutable_header()->set_name(name);
  if (size) request.mutable_header()->set_size(*size);
  return request;
}

inline UploadFileRequest Chunk(std::string bytes) {
  UploadFileRequest request;
  request.set_chunk(std::move(bytes));
  return request;
}

inline UploadFileRequest Finish(
    const std::optional<std::string>& sha256 = std::nullopt) {
  UploadFileRequest request;
  request.mutable_finish();
  if (sha256) request.mutable_finish()->set_sha256(*sha256);
  return request;
}

// A file, in the folder of the server or of the client.
struct File {
  std::string name;
  std::string content;

  std::int64_t size() const { return std::ssize(content); }

  // Its upload but for the finish, declaring nothing.
  Messages Beginning(std::int64_t chunk_size) const {
    Messages messages = {Header(name)};
    for (std::int64_t at = 0; at < size(); at += chunk_size) {
      messages.push_back(Chunk(content.substr(at, chunk_size)));
    }
    return messages;
  }

  // What an upload of it in so many chunks is answered with.
  UploadFileResponse Result(std::int64_t chunks, const std::string& id) const {
    UploadFileResponse response;
    response.set_id(id);
    response.set_size(size());
    response.set_sha256(Sha256(content));
    response.set_chunks(chunks);
    return response;
  }
};

// What a learner is told of messages that were sent: each in a line, but those
// that look alike in one, and of many only the first and the last.
class SentMessages {
 public:
  explicit SentMessages(std::string call) : call_(std::move(call)) {}

  void Add(const UploadFileRequest& message) {
    Add(message.has_chunk()
            ? fmt::format("chunk: {} bytes", message.chunk().size())
            : TextOf(message));
  }
  void Add(const std::string& line) {
    if (lines_.empty() || lines_.back().text != line) {
      lines_.push_back({line, 0});
    }
    ++lines_.back().count;
  }

  std::string Text() const {
    std::string text = call_;
    for (std::size_t i = 0; i < lines_.size(); ++i) {
      if (i == kShown && lines_.size() > kShown + 2) {
        i = lines_.size() - 2;
        text += "\n  ...";
      }
      text += "\n  " + lines_[i].text;
      if (lines_[i].count > 1) {
        text += fmt::format(" ({} times)", lines_[i].count);
      }
    }
    return text;
  }

 private:
  static constexpr std::size_t kShown = 5;

  struct Line {
    std::string text;
    int count;
  };

  std::string call_;
  std::vector<Line> lines_;
};

// A call that takes an upload, which goes on while the test looks at something
// else.
template <class Stream, class Response>
class RunningCall {
 public:
  // False: the call is over; its status tells why.
  bool Send(const UploadFileRequest& message) {
    sent_.Add(message);
    return stream_->Write(message);
  }
  // Sends all of them, or as many as the call takes.
  void Send(const Messages& messages) {
    for (const UploadFileRequest& message : messages) {
      if (!Send(message)) return;
    }
  }

  // Waits for the end of the call; without a half-close, it is the server that
  // has to end it.
  Outcome<Response> End(bool half_close = true) {
    sent_.Add(half_close ? "half-close" : "(no half-close: there may be more)");
    if (half_close) stream_->WritesDone();
    return Finish();
  }

  Outcome<Response> Cancel() {
    sent_.Add("(cancelled by the client)");
    context_.TryCancel();
    return Finish();
  }

  // What has been sent so far.
  std::string sent() const { return sent_.Text(); }

 protected:
  RunningCall(const std::string& call, std::chrono::milliseconds limit)
      : sent_(call + ", deadline " + Seconds(limit) + ", with the messages") {
    context_.set_deadline(std::chrono::system_clock::now() + limit);
  }
  ~RunningCall() = default;

  // Takes what the server tells before the call is over.
  virtual void ReadRest() {}

  grpc::ClientContext context_;
  Response response_;
  std::unique_ptr<Stream> stream_;

 private:
  Outcome<Response> Finish() {
    ReadRest();
    const grpc::Status status = stream_->Finish();
    return {sent_.Text(), status, response_};
  }

  SentMessages sent_;
};

class RunningUpload final
    : public RunningCall<grpc::ClientWriter<UploadFileRequest>,
                         UploadFileResponse> {
 public:
  RunningUpload(Files::Stub& stub, std::chrono::milliseconds limit)
      : RunningCall("UploadFile", limit) {
    stream_ = stub.UploadFile(&context_, &response_);
  }
};

// An UploadFileWithProgress. Its outcome has the last message that came back.
class RunningUploadWithProgress final
    : public RunningCall<
          grpc::ClientReaderWriter<UploadFileRequest, UploadProgress>,
          UploadProgress> {
 public:
  RunningUploadWithProgress(Files::Stub& stub, std::chrono::milliseconds limit)
      : RunningCall("UploadFileWithProgress", limit) {
    stream_ = stub.UploadFileWithProgress(&context_);
  }

  // Waits until the server tells how far it is. Nothing if the call is over.
  std::optional<UploadProgress> Read() {
    UploadProgress message;
    if (!stream_->Read(&message)) return std::nullopt;
    response_ = message;
    messages_.push_back(message);
    return message;
  }

  // All that has come back so far.
  const std::vector<UploadProgress>& messages() const { return messages_; }

 private:
  void ReadRest() override {
    while (Read()) {
    }
  }

  std::vector<UploadProgress> messages_;
};

}  // namespace workshop::testing
