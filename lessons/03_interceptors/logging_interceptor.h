// A server interceptor that notes each call once, when it is over. It sees
// unary and streaming calls, and sync, callback and completion queue services.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace workshop {

// What is known of a call when it is over.
struct CallRecord {
  std::string method;  // "/package.Service/Method"; "unknown" if it has none
  std::string peer;    // "ipv4:127.0.0.1:40112"
  // What the server ended the call with; none: it never did. That it was sent
  // does not mean that it arrived: a client has its own deadline.
  std::optional<grpc::StatusCode> code;
  // True: the call was over before the server had ended it. False: not known.
  bool cut_off = false;
  int received = 0;  // messages
  int sent = 0;
  std::chrono::steady_clock::duration duration{};
};

// Where records go. Called from many threads; must not throw.
using CallLog = std::function<void(const CallRecord&)>;

class LoggingInterceptor final : public grpc::experimental::Interceptor {
 public:
  LoggingInterceptor(grpc::experimental::ServerRpcInfo& call,
                     const CallLog& log)
      : call_(call), log_(log) {
    // Too early for the peer, which a synchronous server does not know yet.
    record_.method = call.method();
  }

  // A call is over when its interceptors go, whatever happened before.
  ~LoggingInterceptor() override {
    if (!record_.code) record_.duration = Elapsed();
    log_(record_);
  }

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    Note(*methods);
    methods->Proceed();  // always, and after it do not touch the call
  }

 private:
  using Hook = grpc::experimental::InterceptionHookPoints;

  void Note(grpc::experimental::InterceptorBatchMethods& methods) {
    const auto has = [&](Hook hook) {
      return methods.QueryInterceptionHookPoint(hook);
    };
    // Reading, writing and the end of a call may be noticed by several threads
    // at a time.
    const std::lock_guard<std::mutex> lock(mutex_);
    if (has(Hook::POST_RECV_INITIAL_METADATA)) {
      record_.peer = call_.server_context()->peer();
    }
    // Null: the stream was at its end, or the bytes were no such message.
    if (has(Hook::POST_RECV_MESSAGE) && methods.GetRecvMessage() != nullptr) {
      ++record_.received;
    }
    if (has(Hook::PRE_SEND_MESSAGE)) ++record_.sent;
    // The completion queue API leaves this hook out.
    if (has(Hook::POST_SEND_MESSAGE) && !methods.GetSendMessageStatus()) {
      --record_.sent;
      record_.cut_off = true;
    }
    if (has(Hook::PRE_SEND_STATUS)) {
      record_.code = methods.GetSendStatus().error_code();
      record_.duration = Elapsed();
    }
    // Not IsCancelled(): in a synchronous server that would come back in here.
    if (has(Hook::POST_RECV_CLOSE) && !record_.code) record_.cut_off = true;
  }

  std::chrono::steady_clock::duration Elapsed() const {
    return std::chrono::steady_clock::now() - start_;
  }

  grpc::experimental::ServerRpcInfo& call_;
  const CallLog& log_;
  const std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
  std::mutex mutex_;
  CallRecord record_;  // guarded by mutex_
};

// One for the server; it makes an interceptor for each call.
class LoggingInterceptorFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  explicit LoggingInterceptorFactory(CallLog log) : log_(std::move(log)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new LoggingInterceptor(*call, log_);  // gRPC deletes it
  }

 private:
  const CallLog log_;
};

}  // namespace workshop
