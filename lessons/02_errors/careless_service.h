// The service as one writes it first: it works for the users that exist.
// README.md, "Traps", shows what it does otherwise.

#pragma once

#include <grpcpp/grpcpp.h>

#include "lessons/02_errors/user_repository.h"
#include "workshop/users/v1/users.grpc.pb.h"

namespace workshop::users {

inline bool Always() { return true; }

class CarelessService final : public v1::Users::Service {
 public:
  explicit CarelessService(const UserRepository& users) : users_(users) {}

 private:
  grpc::Status GetUser(grpc::ServerContext*, const v1::GetUserRequest* request,
                       v1::GetUserResponse* response) override {
    *response->mutable_user() = users_.Find(request->id(), Always).value();
    return grpc::Status::OK;
  }

  const UserRepository& users_;
};

// The same on the callback API, which lesson 06 explains.
class CarelessCallbackService final : public v1::Users::CallbackService {
 public:
  explicit CarelessCallbackService(const UserRepository& users)
      : users_(users) {}

 private:
  grpc::ServerUnaryReactor* GetUser(grpc::CallbackServerContext* context,
                                    const v1::GetUserRequest* request,
                                    v1::GetUserResponse* response) override {
    *response->mutable_user() = users_.Find(request->id(), Always).value();
    grpc::ServerUnaryReactor* const reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }

  const UserRepository& users_;
};

}  // namespace workshop::users
