// Uploads a file, or downloads one. README.md says what it promises.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "lessons/common/program.h"
#include "progress_bar.h"
#include "sha256.h"
#include "workshop/files/v1/files.grpc.pb.h"

namespace {

namespace fs = std::filesystem;
using grpc::StatusCode;
using std::chrono::system_clock;
using workshop::files::ProgressBar;
using workshop::files::Sha256;
using workshop::files::v1::DownloadFileRequest;
using workshop::files::v1::DownloadFileResponse;
using workshop::files::v1::Files;
using workshop::files::v1::Header;
using workshop::files::v1::UploadFileRequest;
using workshop::files::v1::UploadFileResponse;
using workshop::files::v1::UploadProgress;

// A client with a progress bar.
class FilesClient {
 public:
  // All calls together have until `deadline`.
  FilesClient(const std::shared_ptr<grpc::Channel>& channel,
              system_clock::time_point deadline)
      : stub_(Files::NewStub(channel)), deadline_(deadline) {}

  // Uploads the file at `path` under its own name.
  grpc::Status Upload(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return {StatusCode::UNKNOWN, "cannot read " + path.string()};
    // TODO 16: call UploadFileWithProgress, with deadline_, and Send().
    // TODO 17: meanwhile, in a thread of its own, read what the server tells,
    // and show it by a ProgressBar.
    // TODO 18: print the result: the SHA-256, two spaces, and the name.
    return {StatusCode::UNIMPLEMENTED, "TODO 16: FilesClient::Upload"};
  }

  // Downloads the file `name` to `path`, or what is missing of it.
  grpc::Status Download(const std::string& name, const fs::path& path) {
    fs::path part = path;
    part += ".part";
    // TODO 19: Fetch() into `part`, again while the server is UNAVAILABLE, but
    // by five calls at most.
    // TODO 20: rename `part` to `path` when all of it is there.
    return {StatusCode::UNIMPLEMENTED, "TODO 19: FilesClient::Download"};
  }

 private:
  using UploadStream =
      grpc::ClientReaderWriter<UploadFileRequest, UploadProgress>;

  // Sends header, chunks and finish. False: the call has ended before, or the
  // file could not be read to its end, so that it is bad().
  static bool Send(const Header& header, std::ifstream& file,
                   UploadStream& stream) {
    // TODO 21: write the header, the file in chunks of 64 KiB, and a finish
    // with its SHA-256.
    return false;
  }

  // Makes one call for what is missing in the file `part`.
  grpc::Status Fetch(const std::string& name, const fs::path& part,
                     ProgressBar& bar) {
    // TODO 22: ask for what follows the bytes that `part` has.
    // TODO 23: append what comes to `part`, and show how far it is.
    // TODO 24: if other than `size` bytes are there, say DATA_LOSS.
    return {StatusCode::UNIMPLEMENTED, "TODO 22: FilesClient::Fetch"};
  }

  const std::unique_ptr<Files::Stub> stub_;
  const system_clock::time_point deadline_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  std::string name;
  fs::path path;
  CLI::App app("Uploads a file, or downloads one.");
  app.require_subcommand(1)->fallthrough();
  app.add_option("--address", address, "where the server listens");
  workshop::AddSeconds(app, "--timeout", timeout,
                       "how long it all may take, in seconds");
  CLI::App& upload = *app.add_subcommand("upload", "upload FILE");
  upload.add_option("file", path, "what to upload")
      ->check(CLI::ExistingFile)
      ->required();
  CLI::App& download = *app.add_subcommand("download", "download NAME to FILE");
  download.add_option("name", name, "what to download")->required();
  download.add_option("file", path, "where to put it")->required();
  if (const auto end = workshop::ParseFlags(app, argc, argv)) return *end;

  grpc::ChannelArguments arguments;
  // A channel that found nobody tries no more for a second; a new download
  // would fail in that time without having been sent.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  // As on the server's side: read little ahead, so that memory stays flat.
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  FilesClient client(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                arguments),
      system_clock::now() + timeout);
  const grpc::Status status =
      upload.parsed() ? client.Upload(path) : client.Download(name, path);
  if (!status.ok()) {
    std::cerr << workshop::CodeName(status.error_code()) << ": "
              << status.error_message() << "\n";
    return workshop::kFailed;
  }
  return workshop::kDone;
}
