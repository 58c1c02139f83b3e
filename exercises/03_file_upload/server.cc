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
  // TODO 1: refuse what would leave the folder, or cannot be a name (task 2).
  return true;
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
    // TODO 2: refuse a chunk or a finish before the header, and a second header
    // (task 2).
    if (request.has_header()) return Begin(request.header());
    if (request.has_chunk()) return Append(request.chunk());
    // TODO 3: refuse a message that has no part (task 2).
    return Finish(request.finish());
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
    // TODO 4: refuse a size that is negative, or too large (task 2).
    // TODO 5: refuse a name that is taken (task 2).
    // TODO 6: create file_; keep the header, and the file's id in result_
    // (task 1).
    return {StatusCode::UNIMPLEMENTED, "TODO 6: Upload::Begin"};
  }

  grpc::Status Append(const std::string& chunk) {
    // TODO 7: refuse what makes the file too large (task 2).
    // TODO 8: write the chunk, hash it, and count it in result_ (task 1).
    return {StatusCode::UNIMPLEMENTED, "TODO 8: Upload::Append"};
  }

  grpc::Status Finish(const workshop::files::v1::Finish& finish) {
    // TODO 9: refuse a size or a SHA-256 that is not as declared (task 2).
    // TODO 10: keep the file under its name, unless that is taken by now; then
    // the upload is finished (task 1).
    return {StatusCode::UNIMPLEMENTED, "TODO 10: Upload::Finish"};
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
    // TODO 11: take messages until the upload is finished, or fails (task 1).
    return {StatusCode::UNIMPLEMENTED, "TODO 11: UploadFile"};
  }

  grpc::Status UploadFileWithProgress(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<UploadProgress, UploadFileRequest>* stream)
      override {
    // TODO 12: the same, and tell how far it is: whenever another MiB has
    // come, and with the result at the end (task 3).
    return {StatusCode::UNIMPLEMENTED, "TODO 12: UploadFileWithProgress"};
  }

  grpc::Status DownloadFile(
      grpc::ServerContext* context, const DownloadFileRequest* request,
      grpc::ServerWriter<DownloadFileResponse>* writer) override {
    if (!IsGoodName(request->name())) return BadName();
    // TODO 13: refuse a file that is not there, and an offset that is not in it
    // (task 4).
    // TODO 14: send the file from the offset on, a piece at a time (task 4).
    return {StatusCode::UNIMPLEMENTED, "TODO 14: DownloadFile"};
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

  // TODO 15: remove what a killed server has left in the folder (task 1).
  FilesService service(options);
  grpc::ServerBuilder builder;
  // Without this, gRPC lets a client get further and further ahead of a handler
  // while it measures that the connection could carry more: up to 170 MiB have
  // been seen. So it is 64 KiB for each call.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.RegisterService(&service);
  return workshop::ServeUntilStopped(builder, address);
}
