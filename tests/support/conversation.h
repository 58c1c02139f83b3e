// A call that streams both ways, held open by a test.

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/support/suite.h"

namespace workshop::testing {

// The test writes; what comes back is read in a thread of its own, and waits
// here until the test asks for it.
template <class Request, class Response>
class Conversation {
 public:
  using Stream = grpc::ClientReaderWriter<Request, Response>;
  // Opens the call: `return stub->Talk(context);`.
  using Open = std::function<std::unique_ptr<Stream>(grpc::ClientContext*)>;

  // `who` tells this conversation from others: "anna". The whole of it is over
  // after `limit`, times patience. Nothing is read before StartReading().
  Conversation(std::string who, const Open& open,
               std::chrono::milliseconds limit)
      : who_(std::move(who)) {
    context_.set_deadline(std::chrono::system_clock::now() +
                          Settings().patience * limit);
    stream_ = open(&context_);
  }
  // Cancels it, if it is not over.
  ~Conversation() {
    Cancel();
    StartReading();
    reader_.join();
  }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  const std::string& who() const { return who_; }

  // One thread at a time writes and half-closes. What cannot be written, as
  // the call is over, is dropped: status() tells why.
  void Write(const Request& request) {
    const std::lock_guard lock(writing_);
    if (!finished_) stream_->Write(request);
  }
  void HalfClose() {
    const std::lock_guard lock(writing_);
    if (!finished_) stream_->WritesDone();
  }
  void Cancel() { context_.TryCancel(); }

  void StartReading() {
    if (!reader_.joinable()) reader_ = std::thread([this] { ReadAll(); });
  }

  // Waits until something has come that Next() would return. False if nothing
  // has after `limit`, and when all has been taken and the call is over.
  bool Wait(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [&] { return status_ || !came_.empty(); });
    return !came_.empty();
  }

  // Waits for the next message and takes it. Nothing where Wait() is false.
  std::optional<Response> Next(std::chrono::milliseconds limit) {
    if (!Wait(limit)) return std::nullopt;
    const std::lock_guard lock(mutex_);
    Response response = std::move(came_.front());
    came_.pop_front();
    taken_.push_back(response);
    if (taken_.size() > kTaken) taken_.pop_front();
    return response;
  }

  // Waits until the call is over. Nothing if it is not, after `limit`.
  std::optional<grpc::Status> End(std::chrono::milliseconds limit) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, limit, [&] { return status_.has_value(); });
    return status_;
  }

  // How the call has ended, if it has.
  std::optional<grpc::Status> status() { return End({}); }

  // The last messages that Next() has returned.
  std::vector<Response> taken() const { return {taken_.begin(), taken_.end()}; }

 private:
  static constexpr std::size_t kTaken = 3;

  void ReadAll() {
    Response response;
    while (stream_->Read(&response)) {
      const std::lock_guard lock(mutex_);
      came_.push_back(std::move(response));
      changed_.notify_all();
    }
    const std::lock_guard writing(writing_);
    finished_ = true;
    const grpc::Status status = stream_->Finish();
    const std::lock_guard lock(mutex_);
    status_ = status;
    changed_.notify_all();
  }

  const std::string who_;
  grpc::ClientContext context_;
  std::unique_ptr<Stream> stream_;
  std::deque<Response> taken_;
  std::mutex writing_;
  bool finished_ = false;  // guarded by writing_
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Response> came_;           // guarded by mutex_
  std::optional<grpc::Status> status_;  // guarded by mutex_
  std::thread reader_;
};

}  // namespace workshop::testing
