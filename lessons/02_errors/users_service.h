// The service: who calls it learns what to do, and its operators learn why.

#pragma once

#include <google/protobuf/util/field_mask_util.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "lessons/02_errors/logger.h"
#include "lessons/02_errors/rich_status.h"
#include "lessons/02_errors/user_repository.h"
#include "workshop/users/v1/users.grpc.pb.h"

namespace workshop::users {

class UsersService final : public v1::Users::Service {
 public:
  struct Limits {
    // What a lookup may take, even if the caller would wait for longer.
    std::chrono::milliseconds lookup{10000};
    // How many wrong fields the details of a status name.
    int violations = 10;
  };

  // `users` and `logger` must outlive the service.
  UsersService(const UserRepository& users, Logger& logger, Limits limits)
      : users_(users), logger_(logger), limits_(limits) {}

 private:
  grpc::Status GetUser(grpc::ServerContext* context,
                       const v1::GetUserRequest* request,
                       v1::GetUserResponse* response) override {
    if (grpc::Status valid = Validate(*request); !valid.ok()) return valid;

    using std::chrono::system_clock;  // the clock of deadlines
    const system_clock::time_point deadline =
        std::min(context->deadline(), system_clock::now() + limits_.lookup);
    bool gave_up = false;
    const auto wanted = [&] {
      gave_up = context->IsCancelled() || system_clock::now() >= deadline;
      return !gave_up;
    };
    std::optional<v1::User> user;
    try {
      user = users_.Find(request->id(), wanted);
    } catch (const std::exception& error) {
      logger_.Error("GetUser " + std::to_string(request->id()) + ": " +
                    error.what());
      return {grpc::StatusCode::INTERNAL, "the user could not be looked up"};
    }
    if (gave_up) {
      return {grpc::StatusCode::DEADLINE_EXCEEDED, "the lookup took too long"};
    }
    if (!user) return NotFound(request->id());
    if (request->has_read_mask()) {
      using google::protobuf::util::FieldMaskUtil;
      FieldMaskUtil::TrimMessage(request->read_mask(), &*user);
    }
    *response->mutable_user() = *std::move(user);
    return grpc::Status::OK;
  }

  // Looks at every field, so that a caller can mend all of them in one go.
  grpc::Status Validate(const v1::GetUserRequest& request) const {
    using google::protobuf::util::FieldMaskUtil;
    google::rpc::BadRequest bad;
    int violations = 0;
    const auto violation = [&](const std::string& field,
                               const std::string& description) {
      if (++violations > limits_.violations) return;
      auto& added = *bad.add_field_violations();
      added.set_field(field);
      added.set_description(description);
    };
    if (request.id() <= 0) violation("id", "must be positive");
    for (int i = 0; i < request.read_mask().paths_size(); ++i) {
      if (!FieldMaskUtil::IsValidPath<v1::User>(request.read_mask().paths(i))) {
        violation("read_mask.paths[" + std::to_string(i) + "]",
                  "must name a field of User");
      }
    }
    if (violations == 0) return grpc::Status::OK;
    const auto& first = bad.field_violations(0);
    std::string message = first.field() + " " + first.description();
    if (violations > 1) {
      message += " (and " + std::to_string(violations - 1) + " more)";
    }
    return RichStatus(grpc::StatusCode::INVALID_ARGUMENT, message, bad);
  }

  static grpc::Status NotFound(std::int64_t id) {
    google::rpc::ErrorInfo info;
    info.set_reason("USER_NOT_FOUND");
    info.set_domain("users.workshop.example");
    (*info.mutable_metadata())["id"] = std::to_string(id);
    return RichStatus(grpc::StatusCode::NOT_FOUND,
                      "there is no user with id " + std::to_string(id), info);
  }

  const UserRepository& users_;
  Logger& logger_;
  const Limits limits_;
};

}  // namespace workshop::users
