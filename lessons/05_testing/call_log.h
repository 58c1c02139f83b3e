// An interceptor of the server's that writes a line for each call that ends,
// and names those that were sent without a deadline: "Reserve OK (no
// deadline)".

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lessons/common/program.h"

namespace workshop::reservations {

// Takes a line. Is called from the threads of the calls, several at once.
using LineSink = std::function<void(const std::string& line)>;

class CallLog final : public grpc::experimental::Interceptor {
 public:
  // Adds the log to a server that is being built.
  static void AddTo(grpc::ServerBuilder& builder, LineSink sink) {
    std::vector<
        std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
        factories;
    factories.push_back(std::make_unique<Factory>(std::move(sink)));
    builder.experimental().SetInterceptorCreators(std::move(factories));
  }

  CallLog(grpc::experimental::ServerRpcInfo* info, const LineSink& sink)
      : info_(info), sink_(sink) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    if (methods->QueryInterceptionHookPoint(
            grpc::experimental::InterceptionHookPoints::PRE_SEND_STATUS)) {
      const std::string method = info_->method();  // "/PACKAGE.SERVICE/METHOD"
      const bool has_deadline = info_->server_context()->deadline() !=
                                std::chrono::system_clock::time_point::max();
      sink_(method.substr(method.rfind('/') + 1) + " " +
            CodeName(methods->GetSendStatus().error_code()) +
            (has_deadline ? "" : " (no deadline)"));
    }
    methods->Proceed();
  }

 private:
  class Factory final
      : public grpc::experimental::ServerInterceptorFactoryInterface {
   public:
    explicit Factory(LineSink sink) : sink_(std::move(sink)) {}

    grpc::experimental::Interceptor* CreateServerInterceptor(
        grpc::experimental::ServerRpcInfo* info) override {
      return new CallLog(info, sink_);
    }

   private:
    const LineSink sink_;
  };

  grpc::experimental::ServerRpcInfo* const info_;
  const LineSink& sink_;  // the factory's, which lives as long as the server
};

}  // namespace workshop::reservations
