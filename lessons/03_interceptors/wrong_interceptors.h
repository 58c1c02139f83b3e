// Server interceptors that look right in the header files of gRPC and are not:
// four that mean to refuse a call, and one that asks whether it was cancelled.
// Do not copy.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <iostream>
#include <map>
#include <string>
#include <utility>

#include "lessons/03_interceptors/token.h"

namespace workshop {

enum class WrongWay { kTryCancel, kModifyStatus, kNoProceed, kHijack };

inline const std::map<std::string, WrongWay> kWrongWays = {
    {"try-cancel", WrongWay::kTryCancel},
    {"modify-status", WrongWay::kModifyStatus},
    {"no-proceed", WrongWay::kNoProceed},
    {"hijack", WrongWay::kHijack},
};

class WrongRefusal final : public grpc::experimental::Interceptor {
 public:
  WrongRefusal(WrongWay way, const std::string& token,
               grpc::experimental::ServerRpcInfo& call)
      : way_(way), token_(token), call_(call) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    using Hook = grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(Hook::POST_RECV_INITIAL_METADATA)) {
      status_ = CheckToken(*methods->GetRecvInitialMetadata(), token_);
      if (!status_.ok()) {
        switch (way_) {
          case WrongWay::kTryCancel:
            call_.server_context()->TryCancel();  // comes back in here
            break;
          case WrongWay::kNoProceed:
            return;
          case WrongWay::kHijack:
            methods->Hijack();
            return;
          case WrongWay::kModifyStatus:
            break;
        }
      }
    }
    if (way_ == WrongWay::kModifyStatus && !status_.ok() &&
        methods->QueryInterceptionHookPoint(Hook::PRE_SEND_STATUS)) {
      methods->ModifySendStatus(status_);
    }
    methods->Proceed();
  }

 private:
  const WrongWay way_;
  const std::string& token_;
  grpc::experimental::ServerRpcInfo& call_;
  grpc::Status status_;
};

class WrongRefusalFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  WrongRefusalFactory(WrongWay way, std::string token)
      : way_(way), token_(std::move(token)) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new WrongRefusal(way_, token_, *call);
  }

 private:
  const WrongWay way_;
  const std::string token_;
};

class AskIfCancelled final : public grpc::experimental::Interceptor {
 public:
  explicit AskIfCancelled(grpc::experimental::ServerRpcInfo& call)
      : call_(call) {}

  void Intercept(
      grpc::experimental::InterceptorBatchMethods* methods) override {
    using Hook = grpc::experimental::InterceptionHookPoints;
    // In a synchronous server IsCancelled() looks for the call's end in its
    // completion queue, and calls the interceptors for it: again us.
    if (methods->QueryInterceptionHookPoint(Hook::POST_RECV_CLOSE) &&
        call_.server_context()->IsCancelled()) {
      std::cerr << "cancelled: " << call_.method() << "\n";
    }
    methods->Proceed();
  }

 private:
  grpc::experimental::ServerRpcInfo& call_;
};

class AskIfCancelledFactory final
    : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  grpc::experimental::Interceptor* CreateServerInterceptor(
      grpc::experimental::ServerRpcInfo* call) override {
    return new AskIfCancelled(*call);
  }
};

}  // namespace workshop
