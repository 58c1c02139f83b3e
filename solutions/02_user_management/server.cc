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

v1::User ToProto(const UserRecord& record) {
  v1::User user;
  user.set_id(record.id);
  user.set_name(record.name);
  user.set_email(record.email);
  *user.mutable_create_time() =
      google::protobuf::util::TimeUtil::MicrosecondsToTimestamp(
          record.create_time.time_since_epoch().count());
  return user;
}

constexpr int kDefaultPageSize = 50;
constexpr int kLargestPageSize = 1000;

// Adds to `problems` that `field` is wrong. What it should be is said, and not
// what it is: statuses have little room.
void Add(BadRequest& problems, const std::string& field,
         const std::string& description) {
  BadRequest::FieldViolation& violation = *problems.add_field_violations();
  violation.set_field(field);
  violation.set_description(description);
}

void CheckName(const std::string& field, const std::string& name,
               BadRequest& problems) {
  // Every byte of UTF-8 begins a character, but for those that go on with one.
  const auto length = std::count_if(name.begin(), name.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  });
  if (length < 1 || length > 100) {
    Add(problems, field, "must have 1 to 100 characters");
  }
}

bool IsPlausibleEmail(std::string_view email) {
  if (email.size() > 254) return false;
  if (email.find_first_of(" \t\r\n") != std::string_view::npos) return false;
  const std::size_t at = email.find('@');
  if (at == 0 || at == std::string_view::npos) return false;
  const std::string_view domain = email.substr(at + 1);
  return domain.find('@') == std::string_view::npos &&
         domain.find('.') != std::string_view::npos && domain.front() != '.' &&
         domain.back() != '.';
}

void CheckEmail(const std::string& field, const std::string& email,
                BadRequest& problems) {
  if (!IsPlausibleEmail(email)) {
    Add(problems, field, "must be an email, as in ada@example.com");
  }
}

// OK without problems, else a refusal that tells all of them.
grpc::Status Check(const BadRequest& problems) {
  if (problems.field_violations().empty()) return grpc::Status::OK;
  std::string message;
  for (const auto& violation : problems.field_violations()) {
    if (!message.empty()) message += "; ";
    message += violation.field() + " " + violation.description();
  }
  return workshop::users::RichStatus(grpc::StatusCode::INVALID_ARGUMENT,
                                     message, problems);
}

grpc::Status NoSuchUser(std::int64_t id) {
  return {grpc::StatusCode::NOT_FOUND,
          "there is no user with the id " + std::to_string(id)};
}

// OK if the caller shows a token whose role includes `needed`.
grpc::Status Authorize(const grpc::ServerContext& context, Role needed,
                       const Tokens& tokens) {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string shown =
      workshop::MetadataOr(context.client_metadata(), "authorization", "");
  std::optional<Role> role;
  if (shown.starts_with(kScheme)) {
    role = tokens.RoleOf(std::string_view(shown).substr(kScheme.size()));
  }
  if (!role) {
    return {grpc::StatusCode::UNAUTHENTICATED,
            "authorization: a valid bearer token is required"};
  }
  if (needed == Role::kWriter && *role != Role::kWriter) {
    return {grpc::StatusCode::PERMISSION_DENIED,
            "authorization: this token may only read"};
  }
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
      BadRequest problems;
      CheckName("name", request->name(), problems);
      CheckEmail("email", request->email(), problems);
      grpc::Status status = Check(problems);
      if (!status.ok()) return status;
      const UserRecord user = users_.Create(request->name(), request->email());
      *response->mutable_user() = ToProto(user);
      return grpc::Status::OK;
    });
  }

  grpc::Status GetUser(grpc::ServerContext* context,
                       const v1::GetUserRequest* request,
                       v1::GetUserResponse* response) override {
    return Run(*context, Role::kReader, [&]() -> grpc::Status {
      const std::optional<UserRecord> user = users_.Find(request->id());
      if (!user) return NoSuchUser(request->id());
      *response->mutable_user() = ToProto(*user);
      return grpc::Status::OK;
    });
  }

  grpc::Status ListUsers(grpc::ServerContext* context,
                         const v1::ListUsersRequest* request,
                         v1::ListUsersResponse* response) override {
    return Run(*context, Role::kReader, [&]() -> grpc::Status {
      BadRequest problems;
      if (request->page_size() < 0) {
        Add(problems, "page_size", "must not be negative");
      }
      // A token is the last id of the page before. So a user who goes or comes
      // meanwhile moves no other one to another page.
      std::int64_t after = 0;
      const std::string& token = request->page_token();
      const char* const end = token.data() + token.size();
      const auto parsed = std::from_chars(token.data(), end, after);
      if (!token.empty() && (parsed.ec != std::errc() || parsed.ptr != end)) {
        Add(problems, "page_token", "must be one that ListUsers has returned");
      }
      grpc::Status status = Check(problems);
      if (!status.ok()) return status;

      int size = std::min(request->page_size(), kLargestPageSize);
      if (size == 0) size = kDefaultPageSize;
      // With one more than fits, to see whether there is a next page.
      std::vector<UserRecord> users = users_.List(after, size + 1);
      if (users.size() > static_cast<std::size_t>(size)) {
        users.pop_back();
        response->set_next_page_token(std::to_string(users.back().id));
      }
      for (const UserRecord& user : users) {
        *response->add_users() = ToProto(user);
      }
      return grpc::Status::OK;
    });
  }

  grpc::Status UpdateUser(grpc::ServerContext* context,
                          const v1::UpdateUserRequest* request,
                          v1::UpdateUserResponse* response) override {
    return Run(*context, Role::kWriter, [&]() -> grpc::Status {
      std::optional<std::string> name;
      std::optional<std::string> email;
      bool mask_is_good = !request->update_mask().paths().empty();
      for (const std::string& path : request->update_mask().paths()) {
        if (path == "name") {
          name = request->user().name();
        } else if (path == "email") {
          email = request->user().email();
        } else {
          mask_is_good = false;
        }
      }
      BadRequest problems;
      if (!mask_is_good) {
        Add(problems, "update_mask", "must name name, email or both");
      }
      if (name) CheckName("user.name", *name, problems);
      if (email) CheckEmail("user.email", *email, problems);
      grpc::Status status = Check(problems);
      if (!status.ok()) return status;

      // One step, so that two callers who change different fields of one user
      // do not undo each other's change.
      const std::int64_t id = request->user().id();
      const std::optional<UserRecord> user = users_.Update(id, name, email);
      if (!user) return NoSuchUser(id);
      *response->mutable_user() = ToProto(*user);
      return grpc::Status::OK;
    });
  }

  grpc::Status DeleteUser(grpc::ServerContext* context,
                          const v1::DeleteUserRequest* request,
                          v1::DeleteUserResponse* response) override {
    return Run(*context, Role::kWriter, [&]() -> grpc::Status {
      if (!users_.Delete(request->id())) return NoSuchUser(request->id());
      return grpc::Status::OK;
    });
  }

  // Runs `work`, a handler's own part, for a caller who has the role `needed`.
  template <class Work>
  grpc::Status Run(const grpc::ServerContext& context, Role needed,
                   const Work& work) {
    grpc::Status status = Authorize(context, needed, tokens_);
    if (!status.ok()) return status;
    try {
      return work();
    } catch (const UserRepository::EmailTaken&) {
      return {grpc::StatusCode::ALREADY_EXISTS,
              "email: another user has this one"};
    } catch (const std::exception& error) {
      std::cerr << std::string(error.what()) + "\n";
      return {grpc::StatusCode::INTERNAL, "the users are out of reach"};
    }
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
