// Two client interceptors: one adds a bearer token to every call of a channel,
// one measures how long its calls take.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_interceptor.h>

#include <chrono>
#include <functional>
#include <string>
#include <utility>

namespace workshop {

// Adds "authorization: Bearer TOKEN". The token must be sendable (metadata.h).
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(std::string token) : token_(std::move(token)) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    using Hook = grpc::experimental::InterceptionHookPoints;
    // Elsewhere there are no metadata to be had: the pointer would be null or
    // worse.
    if (methods->QueryInterceptionHookPoint(Hook::PRE_SEND_INITIAL_METADATA)) {
      methods->GetSendInitialMetadata()->emplace("authorization",
                                                 "Bearer " + token_);
    }
    methods->Proceed();
  }

 private:
  const std::string token_;
};

class TokenInterceptorFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenInterceptorFactory(std::string token)
      : token_(std::move(token)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* call) override {
    return new TokenInterceptor(token_);  // gRPC deletes it
  }

 private:
  const std::string token_;
};

// Where times go. Called from the threads that make calls.
using Stopwatch =
    std::function<void(const std::string& method, const grpc::Status& status,
                       std::chrono::steady_clock::duration time)>;

// Measures from the call's start until its status is there: for a stream, until
// Finish() has it.
class TimingInterceptor final : public grpc::experimental::Interceptor {
 public:
  TimingInterceptor(std::string method, const Stopwatch& stopwatch)
      : method_(std::move(method)), stopwatch_(stopwatch) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    using Hook = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Hook::POST_RECV_STATUS)) {
      stopwatch_(method_, *methods->GetRecvStatus(),
                 std::chrono::steady_clock::now() - start_);
    }
    methods->Proceed();
  }

 private:
  const std::string method_;
  const Stopwatch& stopwatch_;
  const std::chrono::steady_clock::time_point start_ =
      std::chrono::steady_clock::now();
};

class TimingInterceptorFactory final
    : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TimingInterceptorFactory(Stopwatch stopwatch)
      : stopwatch_(std::move(stopwatch)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* call) override {
    return new TimingInterceptor(call->method(), stopwatch_);
  }

 private:
  const Stopwatch stopwatch_;
};

}  // namespace workshop
