// The server's side of a chat, as far as it writes: answers and heartbeats.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "workshop/streams/v1/streams.pb.h"

namespace workshop::streams {

// Writes to the stream of one call from two threads: the handler's, which has
// answers, and one of its own, which sends a heartbeat whenever nothing has
// been written for an interval. gRPC allows one Write() at a time, so that they
// take turns.
class ChatWriter {
 public:
  using Stream = grpc::ServerReaderWriter<v1::ChatResponse, v1::ChatRequest>;

  // An interval of zero: no heartbeats, and no thread.
  ChatWriter(Stream* stream, std::chrono::milliseconds interval)
      : stream_(stream), interval_(interval) {
    if (interval_.count() > 0) heart_ = std::thread([this] { Beat(); });
  }

  // Ends the thread. A Write() that a slow reader holds up comes first: only
  // the end of the call can interrupt it.
  ~ChatWriter() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_one();
    if (heart_.joinable()) heart_.join();
  }

  ChatWriter(const ChatWriter&) = delete;
  ChatWriter& operator=(const ChatWriter&) = delete;

  // False if the call is over: nothing more can be written.
  bool Write(const v1::ChatResponse& response) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return WriteLocked(response);
  }

  // The same, and no heartbeat follows.
  bool WriteLast(const v1::ChatResponse& response) {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    return WriteLocked(response);
  }

 private:
  bool WriteLocked(const v1::ChatResponse& response) {
    const bool written = stream_->Write(response);
    last_write_ = std::chrono::steady_clock::now();
    return written;
  }

  void Beat() {
    v1::ChatResponse response;
    std::unique_lock<std::mutex> lock(mutex_);
    for (int number = 1; !stopping_;) {
      // Texts that were written in the meantime have moved this.
      const auto due = last_write_ + interval_;
      if (std::chrono::steady_clock::now() < due) {
        stop_.wait_until(lock, due);
        continue;
      }
      response.mutable_heartbeat()->set_number(number++);
      if (!WriteLocked(response)) return;
    }
  }

  Stream* const stream_;
  const std::chrono::milliseconds interval_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // guarded by mutex_, as is the next one
  std::chrono::steady_clock::time_point last_write_ =
      std::chrono::steady_clock::now();
  std::thread heart_;  // the last member: it uses the others
};

}  // namespace workshop::streams
