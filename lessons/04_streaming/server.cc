// A server for each kind of stream. It logs on stderr how each call has ended.

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/sync_stream.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <limits>
#include <optional>
#include <string>
#include <syncstream>

#include "lessons/04_streaming/chat_writer.h"
#include "lessons/04_streaming/process_status.h"
#include "lessons/common/program.h"
#include "workshop/streams/v1/streams.grpc.pb.h"

namespace {

using grpc::StatusCode;
using workshop::streams::v1::ChatRequest;
using workshop::streams::v1::ChatResponse;
using workshop::streams::v1::GetDataStreamRequest;
using workshop::streams::v1::GetDataStreamResponse;
using workshop::streams::v1::GetStatisticsRequest;
using workshop::streams::v1::GetStatisticsResponse;
using workshop::streams::v1::Streams;
using workshop::streams::v1::UploadFileRequest;
using workshop::streams::v1::UploadFileResponse;

void Log(const std::string& line) {
  std::osyncstream(std::cerr) << line << "\n";
}

class StreamsService final : public Streams::Service {
 public:
  struct Options {
    std::int64_t max_upload = std::int64_t{1} << 30;
    std::chrono::milliseconds heartbeat{0};
    bool trust_read = false;
  };

  explicit StreamsService(const Options& options) : options_(options) {}

 private:
  grpc::Status GetDataStream(
      grpc::ServerContext* context, const GetDataStreamRequest* request,
      grpc::ServerWriter<GetDataStreamResponse>* writer) override {
    if (request->count() < 1 || request->count() > 1'000'000) {
      return {StatusCode::INVALID_ARGUMENT, "count: not from 1 to 1000000"};
    }
    if (request->payload_bytes() < 0 || request->payload_bytes() > 1 << 20) {
      return {StatusCode::INVALID_ARGUMENT,
              "payload_bytes: not from 0 to 1048576"};
    }
    GetDataStreamResponse response;
    response.mutable_payload()->resize(request->payload_bytes());
    for (int index = 1; index <= request->count(); ++index) {
      response.set_index(index);
      if (!writer->Write(response)) {
        Log("GetDataStream: cancelled");
        return grpc::Status::CANCELLED;
      }
      ++data_messages_written_;
    }
    Log("GetDataStream: all written");
    return grpc::Status::OK;
  }

  grpc::Status UploadFile(grpc::ServerContext* context,
                          grpc::ServerReader<UploadFileRequest>* reader,
                          UploadFileResponse* response) override {
    UploadFileRequest request;
    std::optional<std::int64_t> total;
    std::int64_t size = 0;
    std::int64_t chunks = 0;
    while (reader->Read(&request)) {
      if (total) {
        return {StatusCode::INVALID_ARGUMENT, "total_size: not the last"};
      }
      if (request.has_total_size()) {
        total = request.total_size();
        continue;
      }
      size += static_cast<std::int64_t>(request.chunk().size());
      ++chunks;
      if (size > options_.max_upload) {
        Log("UploadFile: refused before its end");
        return {StatusCode::RESOURCE_EXHAUSTED,
                "file: larger than " + std::to_string(options_.max_upload) +
                    " bytes"};
      }
    }
    // Read() is false at the half-close, but also when the call is over, and
    // IsCancelled() may learn that a moment later. The total tells for sure.
    if (options_.trust_read) total = size;  // the trap
    if (!total) {
      Log("UploadFile: incomplete, nothing kept");
      return {StatusCode::INVALID_ARGUMENT, "total_size: missing"};
    }
    if (*total != size) {
      return {StatusCode::DATA_LOSS,
              "total_size: not " + std::to_string(size) + ", which arrived"};
    }
    response->set_id("upload-" + std::to_string(++uploads_));
    response->set_size(size);
    response->set_chunks(chunks);
    Log("UploadFile: half-closed, kept " + response->id());
    return grpc::Status::OK;
  }

  grpc::Status Chat(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<ChatResponse, ChatRequest>* stream) override {
    workshop::streams::ChatWriter writer(stream, options_.heartbeat);
    ChatRequest request;
    ChatResponse response;
    std::int64_t texts = 0;
    bool open = true;
    while (open && stream->Read(&request)) {
      if (request.text().empty()) {
        return {StatusCode::INVALID_ARGUMENT, "text: empty"};
      }
      response.set_text(request.text());
      open = writer.Write(response);
      ++texts;
    }
    // Half-closed, or over? Only a client that is still there can be told.
    response.mutable_goodbye()->set_texts(texts);
    if (!open || !writer.WriteLast(response)) {
      Log("Chat: cancelled");
      return grpc::Status::CANCELLED;
    }
    Log("Chat: half-closed");
    return grpc::Status::OK;
  }

  grpc::Status GetStatistics(grpc::ServerContext* context,
                             const GetStatisticsRequest* request,
                             GetStatisticsResponse* response) override {
    response->set_data_messages_written(data_messages_written_);
    response->set_peak_memory_bytes(workshop::streams::PeakMemory());
    response->set_threads(static_cast<int>(workshop::streams::Threads()));
    return grpc::Status::OK;
  }

  const Options options_;
  std::atomic<std::int64_t> data_messages_written_ = 0;
  std::atomic<int> uploads_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  StreamsService::Options options;
  int max_message = GRPC_DEFAULT_MAX_RECV_MESSAGE_LENGTH;
  bool fixed_window = false;
  CLI::App app("Streams, one call of each kind.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  app.add_option("--max-upload", options.max_upload, "largest file, in bytes")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--max-message", max_message, "largest message, in bytes")
      ->check(CLI::Range(0, std::numeric_limits<int>::max()));
  workshop::AddSeconds(app, "--heartbeat", options.heartbeat,
                       "send heartbeats to a chat quiet for so many seconds");
  app.add_flag("--fixed-window", fixed_window,
               "never let a client get more than 64 KiB ahead");
  app.add_flag("--trust-read", options.trust_read,
               "trap: take any end of an upload for its end");
  if (const auto end = workshop::ParseFlags(app, argc, argv)) return *end;

  StreamsService service(options);
  grpc::ServerBuilder builder;
  builder.SetMaxReceiveMessageSize(max_message);
  if (fixed_window) builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  builder.RegisterService(&service);
  return workshop::ServeUntilStopped(builder, address);
}
