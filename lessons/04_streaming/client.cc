// A client for each kind of stream. What goes wrong on purpose is in traps.h.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>

#include "lessons/04_streaming/load.h"
#include "lessons/04_streaming/options.h"
#include "lessons/04_streaming/statistics.h"
#include "lessons/04_streaming/traps.h"
#include "lessons/common/program.h"
#include "workshop/streams/v1/streams.grpc.pb.h"

namespace {

using std::chrono::system_clock;
using workshop::streams::MemoryMeter;
using workshop::streams::Options;
using workshop::streams::v1::ChatRequest;
using workshop::streams::v1::ChatResponse;
using workshop::streams::v1::GetDataStreamRequest;
using workshop::streams::v1::GetDataStreamResponse;
using workshop::streams::v1::Streams;
using workshop::streams::v1::UploadFileRequest;
using workshop::streams::v1::UploadFileResponse;

// Server streaming: one request, then read until there is no more.
grpc::Status GetDataStream(Streams::StubInterface& stub,
                           const Options& options) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + options.timeout);
  GetDataStreamRequest request;
  request.set_count(options.count);
  const auto reader = stub.GetDataStream(&context, request);
  GetDataStreamResponse response;
  int read = 0;
  while (reader->Read(&response)) {
    if (++read != options.cancel_after) continue;
    context.TryCancel();
    break;
  }
  std::cout << "data: read " << read << " messages\n";
  return reader->Finish();
}

// Client streaming: write until all is said, half-close, take the one answer.
grpc::Status UploadFile(Streams::StubInterface& stub, const Options& options) {
  std::optional<MemoryMeter> memory;
  if (options.memory) memory.emplace(stub);
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + options.timeout);
  UploadFileResponse response;
  const auto writer = stub.UploadFile(&context, &response);
  UploadFileRequest request;
  std::int64_t written = 0;
  bool open = true;
  for (std::int64_t chunks = 1; open && written < options.size; ++chunks) {
    const auto size = std::min(options.chunk, options.size - written);
    request.mutable_chunk()->resize(static_cast<std::size_t>(size));
    open = writer->Write(request);
    written += size;
    if (chunks == options.cancel_after) context.TryCancel();
  }
  request.set_total_size(written);
  if (!open) {
    std::cout << "upload: ended before all was written\n";
  } else if (writer->Write(request)) {
    writer->WritesDone();
  }
  // Whatever was false above meant that the call is over. This tells why.
  const grpc::Status status = writer->Finish();
  if (status.ok()) {
    std::cout << "upload: " << response.id() << ", " << response.size()
              << " bytes in " << response.chunks() << " chunks\n";
  }
  if (memory) memory->Print();
  return status;
}

// Bidirectional: two streams in one call, each with a thread of its own.
grpc::Status Chat(Streams::StubInterface& stub, const Options& options) {
  grpc::ClientContext context;
  context.set_deadline(system_clock::now() + options.timeout);
  const auto stream = stub.Chat(&context);
  const bool stay = options.heartbeats > 0 || options.cancel_after > 0;
  std::counting_semaphore<> heard_enough(stay ? 0 : 1);
  std::thread writer([&] {
    ChatRequest request;
    for (const std::string& text : options.texts) {
      request.set_text(text);
      if (!stream->Write(request)) return;
    }
    heard_enough.acquire();
    stream->WritesDone();
  });
  ChatResponse response;
  int texts = 0;
  while (stream->Read(&response)) {
    if (response.has_text()) {
      std::cout << "chat: " << response.text() << std::endl;
      if (++texts == options.cancel_after) {
        context.TryCancel();
        break;
      }
    } else if (response.has_heartbeat()) {
      const int number = response.heartbeat().number();
      std::cout << "chat: heartbeat " << number << std::endl;
      if (number == options.heartbeats) heard_enough.release();
    } else {
      std::cout << "chat: goodbye after " << response.goodbye().texts()
                << " texts\n";
    }
  }
  heard_enough.release();  // the call is over: nothing more will be heard
  writer.join();
  return stream->Finish();
}

grpc::Status OneOfEach(Streams::StubInterface& stub, const Options& options) {
  for (const auto call : {GetDataStream, UploadFile, Chat}) {
    const grpc::Status status = call(stub, options);
    if (!status.ok()) return status;
  }
  return grpc::Status::OK;
}

struct Command {
  const char* name;
  const char* what;
  grpc::Status (*call)(Streams::StubInterface&, const Options&);
  const char* group = "Commands";
};

constexpr Command kCommands[] = {
    {"data", "server streaming", GetDataStream},
    {"upload", "client streaming", UploadFile},
    {"chat", "bidirectional", Chat},
    {"flood", "64 MiB both ways at once", workshop::streams::Flood},
    {"threads", "what open calls cost", workshop::streams::CountThreads},
    {"stop-reading", "wait for the end, but read no more",
     workshop::streams::StopReading, "Traps"},
    {"no-writes-done", "wait for the answer, but do not half-close",
     workshop::streams::NoWritesDone, "Traps"},
    {"ignore-write", "write on when the call is over",
     workshop::streams::IgnoreWrite, "Traps"},
    {"one-thread", "write all, then read all", workshop::streams::OneThread,
     "Traps"},
    {"two-writers", "write from two threads at once",
     workshop::streams::TwoWriters, "Traps"},
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  bool fixed_window = false;
  Options options;
  auto* call = &OneOfEach;
  CLI::App app("Streams: one call of each kind, or what the command says.");
  app.require_subcommand(0, 1)->fallthrough();
  for (const Command& command : kCommands) {
    app.add_subcommand(command.name, command.what)
        ->group(command.group)
        ->callback([&call, &command] { call = command.call; });
  }
  app.add_option("--address", address, "where the server listens");
  workshop::AddSeconds(app, "--timeout", options.timeout,
                       "how long a call may take, in seconds");
  app.add_flag("--fixed-window", fixed_window,
               "never let the server get more than 64 KiB ahead");
  app.add_option("--count", options.count, "how many messages to read");
  app.add_option("--size", options.size, "size of the file, in bytes")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--chunk", options.chunk, "size of its chunks, in bytes")
      ->check(CLI::Range(1, 1 << 30));
  app.add_flag("--memory", options.memory, "measure what the file takes");
  app.add_option("--say", options.texts, "what to say in the chat");
  app.add_option("--heartbeats", options.heartbeats,
                 "stay in the chat for so many heartbeats")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--cancel-after", options.cancel_after,
                 "cancel the call after so many messages")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--calls", options.calls, "how many chats to open")
      ->check(CLI::NonNegativeNumber);
  if (const auto end = workshop::ParseFlags(app, argc, argv)) return *end;

  grpc::ChannelArguments arguments;
  if (fixed_window) arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  const auto stub = Streams::NewStub(grpc::CreateCustomChannel(
      address, grpc::InsecureChannelCredentials(), arguments));
  const grpc::Status status = call(*stub, options);
  if (!status.ok()) {
    // In one piece, since the server may write to the same terminal.
    std::cerr << workshop::CodeName(status.error_code()) + ": " +
                     status.error_message() + "\n";
    return workshop::kFailed;
  }
  return workshop::kDone;
}
