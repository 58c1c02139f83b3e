// Keeps files and gives them back. README.md says what it promises.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <system_error>

#include "incoming_file.h"
#include "lessons/common/program.h"
#include "sha256.h"
#include "workshop/files/v1/files.grpc.pb.h"

namespace {

using grpc::StatusCode;
using workshop::files::IncomingFile;
using workshop::files::Sha256;
using workshop::files::v1::DownloadFileRequest;
using workshop::files::v1::DownloadFileResponse;
using workshop::files::v1::Files;
using workshop::files::v1::Header;
using workshop::files::v1::UploadFileRequest;
using workshop::files::v1::UploadFileResponse;
using workshop::files::v1::UploadProgress;

struct Options {
  std::filesystem::path folder;
  std::int64_t max_bytes = std::int64_t{1} << 30;
};

// Whether a file may have this name: if so, it lies in the folder itself.
bool IsGoodName(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name[0] != '.' &&
         name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

// A refusal for a name that is not good.
grpc::Status BadName() {
  return {StatusCode::INVALID_ARGUMENT,
          "name: not 1 to 255 bytes without \"/\" and NUL, nor first \".\""};
}

// A file that is being uploaded, by either of the two calls. What is not kept
// is removed with the object.
class Upload {
 public:
  explicit Upload(const Options& options) : options_(options) {}

  // Takes the next message. Anything but OK ends the upload.
  grpc::Status Take(const UploadFileRequest& request) {
    const bool is_first = header_.name().empty();
    if (request.has_header() != is_first) {
      return {StatusCode::INVALID_ARGUMENT,
              is_first ? "header: must come first" : "header: a second one"};
    }
    if (request.has_header()) return Begin(request.header());
    if (request.has_chunk()) return Append(request.chunk());
    if (request.has_finish()) return Finish(request.finish());
    return {StatusCode::INVALID_ARGUMENT, "part: not set"};
  }

  // Whether the file is complete, and kept under its name.
  bool is_finished() const { return is_finished_; }
  // What has been uploaded so far: as much as is known.
  const UploadFileResponse& result() const { return result_; }

  // What the client is told, if it is still there, whose messages ended without
  // a finish.
  static grpc::Status Incomplete() {
    return {StatusCode::INVALID_ARGUMENT, "finish: missing"};
  }

 private:
  grpc::Status Begin(const Header& header) {
    if (!IsGoodName(header.name())) return BadName();
    if (header.size() < 0) {
      return {StatusCode::INVALID_ARGUMENT, "size: negative"};
    }
    if (header.size() > options_.max_bytes) return TooLarge();
    std::error_code error;
    if (std::filesystem::exists(options_.folder / header.name(), error)) {
      return NameTaken();
    }
    error = file_.Create(options_.folder);
    if (error) return DiskError(error);
    header_ = header;
    result_.set_id(file_.id());
    return grpc::Status::OK;
  }

  grpc::Status Append(const std::string& chunk) {
    const std::int64_t size = result_.size() + std::ssize(chunk);
    if (size > options_.max_bytes) return TooLarge();
    const std::error_code error = file_.Write(chunk);
    if (error) return DiskError(error);
    sha256_.Add(chunk);
    result_.set_size(size);
    result_.set_chunks(result_.chunks() + 1);
    return grpc::Status::OK;
  }

  grpc::Status Finish(const workshop::files::v1::Finish& finish) {
    result_.set_sha256(sha256_.Hex());
    if (header_.has_size() && header_.size() != result_.size()) {
      return {StatusCode::DATA_LOSS,
              "size: " + std::to_string(result_.size()) + " bytes came"};
    }
    if (finish.has_sha256() && finish.sha256() != result_.sha256()) {
      return {StatusCode::DATA_LOSS,
              "sha256: of the bytes that came, it is " + result_.sha256()};
    }
    const std::error_code error = file_.Keep(header_.name());
    if (error == std::errc::file_exists) return NameTaken();
    if (error) return DiskError(error);
    is_finished_ = true;
    return grpc::Status::OK;
  }

  grpc::Status TooLarge() const {
    return {StatusCode::RESOURCE_EXHAUSTED,
            "size: over " + std::to_string(options_.max_bytes) + " bytes"};
  }

  static grpc::Status NameTaken() {
    return {StatusCode::ALREADY_EXISTS, "name: taken"};
  }

  // The reason is for the log, and not for the client.
  static grpc::Status DiskError(const std::error_code& error) {
    std::cerr << "cannot store a file: " + error.message() + "\n";
    return {StatusCode::INTERNAL, "the file cannot be stored"};
  }

  const Options options_;
  Header header_;  // without a name: it has not come yet
  IncomingFile file_;
  Sha256 sha256_;
  UploadFileResponse result_;
  bool is_finished_ = false;
};

class FilesService final : public Files::Service {
 public:
  explicit FilesService(const Options& options) : options_(options) {}

 private:
  grpc::Status UploadFile(grpc::ServerContext* context,
                          grpc::ServerReader<UploadFileRequest>* reader,
                          UploadFileResponse* response) override {
    Upload upload(options_);
    UploadFileRequest request;
    while (!upload.is_finished() && reader->Read(&request)) {
      const grpc::Status status = upload.Take(request);
      if (!status.ok()) return status;
    }
    if (!upload.is_finished()) return Upload::Incomplete();
    *response = upload.result();
    return grpc::Status::OK;
  }

  grpc::Status UploadFileWithProgress(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<UploadProgress, UploadFileRequest>* stream)
      override {
    constexpr std::int64_t kProgressBytes = 1 << 20;
    Upload upload(options_);
    UploadFileRequest request;
    UploadProgress progress;
    while (!upload.is_finished() && stream->Read(&request)) {
      const grpc::Status status = upload.Take(request);
      if (!status.ok()) return status;
      const std::int64_t received = upload.result().size();
      if (received - progress.received() < kProgressBytes) continue;
      progress.set_received(received);
      if (!stream->Write(progress)) return grpc::Status::CANCELLED;
    }
    if (!upload.is_finished()) return Upload::Incomplete();
    progress.set_received(upload.result().size());
    *progress.mutable_result() = upload.result();
    stream->Write(progress);  // the file is kept, whether this is heard or not
    return grpc::Status::OK;
  }

  grpc::Status DownloadFile(
      grpc::ServerContext* context, const DownloadFileRequest* request,
      grpc::ServerWriter<DownloadFileResponse>* writer) override {
    if (!IsGoodName(request->name())) return BadName();
    const std::filesystem::path path = options_.folder / request->name();
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error)) {
      return {StatusCode::NOT_FOUND, "name: no such file"};
    }
    const auto size =
        static_cast<std::int64_t>(std::filesystem::file_size(path, error));
    if (request->offset() < 0) {
      return {StatusCode::INVALID_ARGUMENT, "offset: negative"};
    }
    if (request->offset() > size) {
      return {StatusCode::OUT_OF_RANGE,
              "offset: beyond the end, " + std::to_string(size)};
    }
    constexpr std::int64_t kPieceBytes = 64 << 10;
    std::ifstream file(path, std::ios::binary);
    file.seekg(request->offset());
    std::int64_t left = size - request->offset();
    DownloadFileResponse response;
    response.set_size(size);
    do {
      std::string& piece = *response.mutable_chunk();
      piece.resize(static_cast<std::size_t>(std::min(left, kPieceBytes)));
      if (!file.read(piece.data(), std::ssize(piece))) {
        return {StatusCode::INTERNAL, "the file cannot be read"};
      }
      left -= std::ssize(piece);
      if (!writer->Write(response)) return grpc::Status::CANCELLED;
    } while (left > 0);
    return grpc::Status::OK;
  }

  const Options options_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  Options options;
  CLI::App app("Keeps files and gives them back.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  app.add_option("--folder", options.folder, "where the files are")
      ->check(CLI::ExistingDirectory)
      ->required();
  app.add_option("--max-bytes", options.max_bytes, "largest file, in bytes")
      ->check(CLI::NonNegativeNumber);
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  IncomingFile::RemoveLeftovers(options.folder);
  FilesService service(options);
  grpc::ServerBuilder builder;
  // Without this, gRPC lets a client get further and further ahead of a handler
  // while it measures that the connection could carry more: up to 170 MiB have
  // been seen. So it is 64 KiB for each call.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.RegisterService(&service);
  return workshop::ServeUntilStopped(builder, address);
}
