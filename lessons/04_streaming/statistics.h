// How much memory a call takes, on both sides.

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdint>
#include <iostream>

#include "lessons/04_streaming/process_status.h"
#include "workshop/streams/v1/streams.grpc.pb.h"

namespace workshop::streams {

// What the server's process has cost so far; all zero if it does not answer.
inline v1::GetStatisticsResponse Statistics(v1::Streams::StubInterface& stub) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() +
                       std::chrono::seconds(5));
  v1::GetStatisticsResponse response;
  const grpc::Status status =
      stub.GetStatistics(&context, v1::GetStatisticsRequest(), &response);
  return status.ok() ? response : v1::GetStatisticsResponse();
}

// Says by how much the peaks of memory have grown since it was made.
class MemoryMeter {
 public:
  explicit MemoryMeter(v1::Streams::StubInterface& stub)
      : stub_(stub),
        here_(PeakMemory()),
        there_(Statistics(stub).peak_memory_bytes()) {}

  void Print() const {
    const auto here = PeakMemory() - here_;
    const auto there = Statistics(stub_).peak_memory_bytes() - there_;
    std::cout << "memory: about " << (here >> 20) << " MiB more here, about "
              << (there >> 20) << " MiB more in the server\n";
  }

 private:
  v1::Streams::StubInterface& stub_;
  const std::int64_t here_;
  const std::int64_t there_;
};

}  // namespace workshop::streams
