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
    Header header;
    header.set_name(path.filename());
    header.set_size(static_cast<std::int64_t>(fs::file_size(path)));

    grpc::ClientContext context;
    context.set_deadline(deadline_);
    const auto stream = stub_->UploadFileWithProgress(&context);
    UploadFileResponse result;
    // In a thread of its own, since this one may have to wait in Write() until
    // somebody reads.
    std::thread reader([&] {
      ProgressBar bar;
      UploadProgress progress;
      while (stream->Read(&progress)) {
        bar.Show(progress.received(), header.size());
        if (progress.has_result()) result = progress.result();
      }
    });
    if (Send(header, file, *stream)) stream->WritesDone();
    if (file.bad()) context.TryCancel();  // so that nothing is kept
    reader.join();
    const grpc::Status status = stream->Finish();
    if (status.ok()) {
      std::cout << result.sha256() << "  " << header.name() << "\n";
    }
    return status;
  }

  // Downloads the file `name` to `path`, or what is missing of it.
  grpc::Status Download(const std::string& name, const fs::path& path) {
    fs::path part = path;
    part += ".part";
    constexpr int kMaxCalls = 5;
    std::chrono::milliseconds wait(50);
    ProgressBar bar;
    grpc::Status status = Fetch(name, part, bar);
    for (int calls = 1;
         calls < kMaxCalls && status.error_code() == StatusCode::UNAVAILABLE;
         ++calls) {
      std::this_thread::sleep_for(wait);
      wait *= 2;
      status = Fetch(name, part, bar);
    }
    if (!status.ok()) return status;
    std::error_code error;
    fs::rename(part, path, error);
    if (error) return {StatusCode::UNKNOWN, "cannot write " + path.string()};
    return grpc::Status::OK;
  }

 private:
  using UploadStream =
      grpc::ClientReaderWriter<UploadFileRequest, UploadProgress>;

  // Sends header, chunks and finish. False: the call has ended before, or the
  // file could not be read to its end, so that it is bad().
  static bool Send(const Header& header, std::ifstream& file,
                   UploadStream& stream) {
    constexpr std::size_t kChunkBytes = 64 << 10;
    UploadFileRequest request;
    *request.mutable_header() = header;
    if (!stream.Write(request)) return false;
    Sha256 sha256;
    while (true) {
      std::string& chunk = *request.mutable_chunk();
      chunk.resize(kChunkBytes);
      file.read(chunk.data(), std::ssize(chunk));
      chunk.resize(static_cast<std::size_t>(file.gcount()));
      if (file.bad()) return false;
      if (chunk.empty()) break;
      sha256.Add(chunk);
      if (!stream.Write(request)) return false;
    }
    request.mutable_finish()->set_sha256(sha256.Hex());
    return stream.Write(request);
  }

  // Makes one call for what is missing in the file `part`.
  grpc::Status Fetch(const std::string& name, const fs::path& part,
                     ProgressBar& bar) {
    std::error_code error;
    std::int64_t received = 0;
    if (fs::exists(part, error)) {
      received = static_cast<std::int64_t>(fs::file_size(part));
    }
    DownloadFileRequest request;
    request.set_name(name);
    request.set_offset(received);
    grpc::ClientContext context;
    context.set_deadline(deadline_);
    const auto reader = stub_->DownloadFile(&context, request);
    std::ofstream file;
    DownloadFileResponse response;
    while (reader->Read(&response)) {
      // Not before, so that a refused call leaves no file.
      if (!file.is_open()) file.open(part, std::ios::binary | std::ios::app);
      file << response.chunk();
      if (!file) context.TryCancel();
      received += std::ssize(response.chunk());
      bar.Show(received, response.size());
    }
    if (file.is_open()) file.close();
    const grpc::Status status = reader->Finish();
    if (!file) return {StatusCode::UNKNOWN, "cannot write " + part.string()};
    if (status.ok() && received != response.size()) {
      return {StatusCode::DATA_LOSS, std::to_string(received) + " bytes came"};
    }
    return status;
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
