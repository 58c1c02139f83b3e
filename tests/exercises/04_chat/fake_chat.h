// A server for the learner's client to talk to.

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <mutex>
#include <string>
#include <vector>

#include "tests/support/exercise_test.h"
#include "tests/support/fake_server.h"
#include "workshop/chat/v1/chat.grpc.pb.h"

namespace workshop::testing {

using chat::v1::Chat;
using chat::v1::TalkRequest;
using chat::v1::TalkResponse;

// It echoes, and says more if the test wants it to.
class FakeChat final : public Chat::Service {
 public:
  // What it says after the join, and after the half-close.
  std::vector<TalkResponse> first;
  std::vector<TalkResponse> last;
  // How it ends the call, and after how many messages; 0: at the half-close.
  grpc::Status status = grpc::Status::OK;
  int ends_after = 0;
  bool answers = true;

  struct Call {
    std::vector<std::string> requests;
    bool half_closed = false;
    std::chrono::duration<double> left{};  // to its deadline, at the beginning
  };
  Call call() {
    const std::lock_guard lock(mutex_);
    return call_;
  }

 private:
  using Stream = grpc::ServerReaderWriter<TalkResponse, TalkRequest>;

  grpc::Status Talk(grpc::ServerContext* context, Stream* stream) override {
    {
      const std::lock_guard lock(mutex_);
      call_.left = context->deadline() - std::chrono::system_clock::now();
    }
    if (!answers) {
      WaitUntilCancelled(*context);
      return grpc::Status::CANCELLED;
    }
    TalkRequest request;
    std::string name;
    int messages = 0;
    while (stream->Read(&request)) {
      {
        const std::lock_guard lock(mutex_);
        call_.requests.push_back(TextOf(request));
      }
      if (++messages == ends_after) return status;
      if (request.has_join()) {
        name = request.join().name();
        for (const TalkResponse& event : first) stream->Write(event);
      } else {
        TalkResponse echo;
        echo.set_sender(name);
        echo.set_text(request.text());
        stream->Write(echo);
      }
    }
    {
      const std::lock_guard lock(mutex_);
      call_.half_closed = true;
    }
    for (const TalkResponse& event : last) stream->Write(event);
    return status;
  }

  std::mutex mutex_;
  Call call_;  // guarded by mutex_
};

inline TalkResponse Joined(const std::string& who) {
  TalkResponse event;
  event.set_sender(who);
  event.mutable_joined();
  return event;
}

inline TalkResponse Left(const std::string& who) {
  TalkResponse event;
  event.set_sender(who);
  event.mutable_left();
  return event;
}

inline TalkResponse Said(const std::string& who, const std::string& text) {
  TalkResponse event;
  event.set_sender(who);
  event.set_text(text);
  return event;
}

}  // namespace workshop::testing
