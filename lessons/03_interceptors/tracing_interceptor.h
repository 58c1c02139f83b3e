// An interceptor for either side that prints when it is called, and for what:
// two of them show the order.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_interceptor.h>
#include <grpcpp/support/server_interceptor.h>

#include <array>
#include <cstddef>
#include <iostream>
#include <string>
#include <utility>

namespace workshop {

class TracingInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TracingInterceptor(std::string name) : name_(std::move(name)) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    using Hook = grpc::experimental::InterceptionHookPoints;
    static constexpr std::array<const char*, 13> kNames = {
        "PRE_SEND_INITIAL_METADATA",
        "PRE_SEND_MESSAGE",
        "POST_SEND_MESSAGE",
        "PRE_SEND_STATUS",
        "PRE_SEND_CLOSE",
        "PRE_RECV_INITIAL_METADATA",
        "PRE_RECV_MESSAGE",
        "PRE_RECV_STATUS",
        "POST_RECV_INITIAL_METADATA",
        "POST_RECV_MESSAGE",
        "POST_RECV_STATUS",
        "POST_RECV_CLOSE",
        "PRE_SEND_CANCEL",
    };
    static_assert(kNames.size() ==
                  static_cast<std::size_t>(Hook::NUM_INTERCEPTION_HOOKS));
    std::string line = name_ + ":";  // some calls are for nothing at all
    for (std::size_t i = 0; i < kNames.size(); ++i) {
      const Hook hook = static_cast<Hook>(i);
      if (!methods->QueryInterceptionHookPoint(hook)) continue;
      line.append(" ").append(kNames[i]);
      if (hook == Hook::PRE_SEND_INITIAL_METADATA) {
        for (const auto& [key, value] : *methods->GetSendInitialMetadata()) {
          line.append(" [").append(key).append("]");
        }
      }
    }
    std::cerr << line + "\n";
    methods->Proceed();
  }

 private:
  const std::string name_;
};

class TracingInterceptorFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface,
      public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TracingInterceptorFactory(std::string name)
      : name_(std::move(name)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new TracingInterceptor(name_);
  }

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* call) override {
    return new TracingInterceptor(name_);
  }

 private:
  const std::string name_;
};

}  // namespace workshop
