// Calls that load the server, to see what it can bear.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <cstddef>
#include <iostream>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "lessons/04_streaming/options.h"
#include "lessons/04_streaming/statistics.h"
#include "workshop/streams/v1/streams.grpc.pb.h"

namespace workshop::streams {

// Enough for both directions to fill up: 64 MiB each way.
inline constexpr int kFlood = 1000;
inline constexpr std::size_t kFloodSize = 64 << 10;

// Says much and hears much at once, with the least that it takes: two threads.
inline grpc::Status Flood(v1::Streams::StubInterface& stub,
                          const Options& options) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  const auto stream = stub.Chat(&context);
  std::thread writer([&stream] {
    v1::ChatRequest request;
    request.set_text(std::string(kFloodSize, 'x'));
    int written = 0;
    while (written < kFlood && stream->Write(request)) ++written;
    stream->WritesDone();
  });
  v1::ChatResponse response;
  int read = 0;
  while (stream->Read(&response)) read += response.has_text() ? 1 : 0;
  writer.join();
  std::cout << "flood: " << read << " of " << kFlood << " texts came back\n";
  return stream->Finish();
}

// Opens chats that nobody speaks in, and counts what threads they cost.
inline grpc::Status CountThreads(v1::Streams::StubInterface& stub,
                                 const Options& options) {
  struct Chat {
    grpc::ClientContext context;  // before the stream, to outlive it
    std::unique_ptr<
        grpc::ClientReaderWriterInterface<v1::ChatRequest, v1::ChatResponse>>
        stream;
  };
  v1::ChatRequest request;
  request.set_text("hello");
  v1::ChatResponse response;
  const auto before = Statistics(stub).threads();
  std::list<Chat> chats;
  for (int i = 0; i < options.calls; ++i) {
    Chat& chat = chats.emplace_back();
    chat.context.set_deadline(std::chrono::system_clock::now() +
                              options.timeout);
    chat.stream = stub.Chat(&chat.context);
    chat.stream->Write(request);
    chat.stream->Read(&response);  // so the handler runs
  }
  const auto after = Statistics(stub).threads();
  std::cout << "threads: the server has about " << after - before
            << " more with " << options.calls << " open chats\n";
  grpc::Status result;
  for (Chat& chat : chats) {
    chat.stream->WritesDone();
    while (chat.stream->Read(&response)) continue;
    const grpc::Status status = chat.stream->Finish();
    if (!status.ok()) result = status;
  }
  return result;
}

}  // namespace workshop::streams
