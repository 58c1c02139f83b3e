// Streams used wrongly. The right way is in client.cc.

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <string>
#include <thread>

#include "lessons/04_streaming/load.h"
#include "lessons/04_streaming/options.h"
#include "lessons/04_streaming/statistics.h"
#include "workshop/streams/v1/streams.grpc.pb.h"

namespace workshop::streams {

// Stops reading, but waits for the status, which stands behind the messages
// that nobody reads. Says how far ahead of the reader the server got.
inline grpc::Status StopReading(v1::Streams::StubInterface& stub,
                                const Options& options) {
  const auto before = Statistics(stub).data_messages_written();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  v1::GetDataStreamRequest request;
  request.set_count(1'000'000);
  request.set_payload_bytes(64 << 10);
  const auto reader = stub.GetDataStream(&context, request);
  v1::GetDataStreamResponse response;
  int read = 0;
  while (read < options.count && reader->Read(&response)) ++read;
  const grpc::Status status = reader->Finish();
  const auto written = Statistics(stub).data_messages_written() - before;
  std::cout << "stop-reading: of 1000000 messages " << read
            << " were read, and about " << written << " written\n";
  return status;
}

// Waits for the answer without having said that the request is complete.
inline grpc::Status NoWritesDone(v1::Streams::StubInterface& stub,
                                 const Options& options) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  v1::UploadFileResponse response;
  const auto writer = stub.UploadFile(&context, &response);
  v1::UploadFileRequest request;
  request.set_total_size(0);
  writer->Write(request);
  return writer->Finish();
}

// Writes on although Write() says that nobody listens.
inline grpc::Status IgnoreWrite(v1::Streams::StubInterface& stub,
                                const Options& options) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  v1::UploadFileResponse response;
  const auto writer = stub.UploadFile(&context, &response);
  v1::UploadFileRequest request;
  request.set_chunk(std::string(64 << 10, 'x'));
  int refused = 0;
  for (int i = 0; i < 10'000; ++i) refused += writer->Write(request) ? 0 : 1;
  writer->WritesDone();
  std::cout << "ignore-write: of 10000 chunks about " << refused
            << " were written for nothing\n";
  return writer->Finish();
}

// Writes everything, and then reads everything. As nobody reads meanwhile, the
// server can soon not write, so it does not read, so we cannot write.
inline grpc::Status OneThread(v1::Streams::StubInterface& stub,
                              const Options& options) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  const auto stream = stub.Chat(&context);
  v1::ChatRequest request;
  request.set_text(std::string(kFloodSize, 'x'));
  int written = 0;
  while (written < kFlood && stream->Write(request)) ++written;
  stream->WritesDone();
  std::cout << "one-thread: about " << written << " of " << kFlood
            << " texts were written\n";
  v1::ChatResponse response;
  while (stream->Read(&response)) continue;
  return stream->Finish();
}

// Writes to one stream from two threads at once, which aborts the program: as
// nobody reads, a Write() is soon held up, and the other thread's meets it.
inline grpc::Status TwoWriters(v1::Streams::StubInterface& stub,
                               const Options& options) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.timeout);
  const auto stream = stub.Chat(&context);
  const auto write = [&stream] {
    v1::ChatRequest request;
    request.set_text(std::string(kFloodSize, 'x'));
    while (stream->Write(request)) continue;
  };
  std::thread other(write);
  write();
  other.join();
  return stream->Finish();
}

}  // namespace workshop::streams
