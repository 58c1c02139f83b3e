// Keeps the users of a system. README.md says what it promises.

#include <google/protobuf/util/time_util.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exercises/02_user_management/tokens.h"
#include "exercises/02_user_management/user_repository.h"
#include "google/rpc/error_details.pb.h"
#include "lessons/02_errors/rich_status.h"
#include "lessons/03_interceptors/metadata.h"
#include "lessons/common/program.h"
#include "users.grpc.pb.h"

namespace {

namespace v1 = workshop::user_management::v1;

using google::rpc::BadRequest;
using workshop::user_management::Role;
using workshop::user_management::Tokens;
using workshop::user_management::UserRecord;
using workshop::user_management::UserRepository;

// TODO 8: a function that makes a v1::User of a UserRecord (task 2).

// TODO 9: functions that find what is wrong with a name or an email (task 3),
// and one that makes a status of it, with workshop::users::RichStatus().

// OK if the caller shows a token whose role includes `needed`.
grpc::Status Authorize(const grpc::ServerContext& context, Role needed,
                       const Tokens& tokens) {
  // TODO 10: UNAUTHENTICATED without a token that is known, PERMISSION_DENIED
  // with one that does not allow it (task 4).
  return grpc::Status::OK;
}

class UserManagementService final : public v1::UserManagement::Service {
 public:
  UserManagementService(UserRepository& users, const Tokens& tokens)
      : users_(users), tokens_(tokens) {}

 private:
  grpc::Status CreateUser(grpc::ServerContext* context,
                          const v1::CreateUserRequest* request,
                          v1::CreateUserResponse* response) override {
    return Run(*context, Role::kWriter, [&]() -> grpc::Status {
      // TODO 11: refuse a name or an email that is not valid (task 3).
      const UserRecord user = users_.Create(request->name(), request->email());
      // TODO 12: answer with all of the user, not only with the id (task 2).
      response->mutable_user()->set_id(user.id);
      return grpc::Status::OK;
    });
  }

  grpc::Status GetUser(grpc::ServerContext* context,
                       const v1::GetUserRequest* request,
                       v1::GetUserResponse* response) override {
    return Run(*context, Role::kReader, [&]() -> grpc::Status {
      // TODO 13: answer with the user, or with NOT_FOUND (tasks 2 and 3).
      return {grpc::StatusCode::UNIMPLEMENTED, "TODO 13: GetUser"};
    });
  }

  grpc::Status ListUsers(grpc::ServerContext* context,
                         const v1::ListUsersRequest* request,
                         v1::ListUsersResponse* response) override {
    return Run(*context, Role::kReader, [&]() -> grpc::Status {
      // TODO 14: answer with a page of users (task 2).
      // TODO 15: refuse a bad page_size or page_token (task 3).
      return {grpc::StatusCode::UNIMPLEMENTED, "TODO 14: ListUsers"};
    });
  }

  grpc::Status UpdateUser(grpc::ServerContext* context,
                          const v1::UpdateUserRequest* request,
                          v1::UpdateUserResponse* response) override {
    return Run(*context, Role::kWriter, [&]() -> grpc::Status {
      // TODO 16: change what update_mask names, and nothing else (task 2).
      // TODO 17: refuse a bad update_mask, name or email (task 3).
      return {grpc::StatusCode::UNIMPLEMENTED, "TODO 16: UpdateUser"};
    });
  }

  // TODO 18: DeleteUser, once users.proto has it (tasks 2 and 3).

  // Runs `work`, a handler's own part, for a caller who has the role `needed`.
  template <class Work>
  grpc::Status Run(const grpc::ServerContext& context, Role needed,
                   const Work& work) {
    grpc::Status status = Authorize(context, needed, tokens_);
    if (!status.ok()) return status;
    // TODO 19: catch what the repository throws: EmailTaken is ALREADY_EXISTS,
    // all else INTERNAL, told in the log and not in the status (task 3).
    return work();
  }

  UserRepository& users_;
  const Tokens& tokens_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  std::string database = "users.db";
  std::string tokens_file;
  CLI::App app("Keeps the users of a system.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  app.add_option("--database", database, "the file that holds the users");
  app.add_option("--tokens", tokens_file, "the file that holds the tokens")
      ->required();
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  try {
    const Tokens tokens(tokens_file);
    UserRepository users(database);
    UserManagementService service(users, tokens);
    // Tells whoever asks what the service looks like, as users.proto has it.
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
    grpc::ServerBuilder builder;
    builder.RegisterService(&service);
    return workshop::ServeUntilStopped(builder, address);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return workshop::kFailed;
  }
}
