// A server for the learner's client to talk to.

#pragma once

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "tests/exercises/03_file_upload/calls.h"
#include "tests/support/exercise_test.h"
#include "tests/support/fake_server.h"

namespace workshop::testing {

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
    std::string text;  // its header and finish
    std::string content;
  };
  // The last one that was not refused.
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
      if (!upload_status.ok()) return upload_status;
      if (!request.has_header()) continue;
      progress.set_received(request.header().size() * upload_percent / 100);
      for (int i = 0; i < upload_reports; ++i) stream->Write(progress);
    }
    progress.set_received(std::ssize(upload.content));
    *progress.mutable_result() = File{"", upload.content}.Result(1, "an-id");
    {
      const std::lock_guard lock(mutex_);
      last_upload_ = std::move(upload);
    }
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
      downloads_.push_back(
          {request->name(), request->offset(),
           context->deadline() - std::chrono::system_clock::now()});
    }
    const bool breaks_off = call < breaks.size();
    if (!breaks_off && !download_status.ok()) return download_status;
    const std::int64_t size = std::ssize(content);
    const std::int64_t end = breaks_off ? breaks[call] : size - left_out;
    std::int64_t at = request->offset();
    if (at < 0 || at > size)
      return {grpc::StatusCode::OUT_OF_RANGE, "offset: bad"};
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
    if (breaks_off) return {grpc::StatusCode::UNAVAILABLE, "broken off"};
    return grpc::Status::OK;
  }

  std::mutex mutex_;
  Upload last_upload_;               // guarded by mutex_
  std::vector<Download> downloads_;  // guarded by mutex_
};

}  // namespace workshop::testing
