// A client that does with each status what can be done about it.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "lessons/02_errors/decision.h"
#include "lessons/02_errors/rich_status.h"
#include "lessons/common/program.h"
#include "workshop/users/v1/users.grpc.pb.h"

namespace {

using std::chrono::milliseconds;
using std::chrono::system_clock;
using workshop::users::Decide;
using workshop::users::Decision;
using workshop::users::DetailOf;
using workshop::users::v1::GetUserRequest;
using workshop::users::v1::GetUserResponse;
using workshop::users::v1::Users;

// A user to ask for, and what is expected to come of it.
struct Lookup {
  std::int64_t id = 0;
  std::vector<std::string> fields;
  grpc::StatusCode expected = grpc::StatusCode::OK;
};

// What is asked for if nothing is: a user, nonsense, and somebody unknown.
std::vector<Lookup> Demonstration() {
  return {{1, {}},
          {0, {"name", "emial"}, grpc::StatusCode::INVALID_ARGUMENT},
          {99, {}, grpc::StatusCode::NOT_FOUND}};
}

void Explain(const grpc::Status& status) {
  std::cerr << workshop::CodeName(status.error_code());
  if (!status.error_message().empty()) {
    std::cerr << ": " << status.error_message();
  }
  std::cerr << "\n";
  if (const auto bad = DetailOf<google::rpc::BadRequest>(status)) {
    for (const auto& violation : bad->field_violations()) {
      std::cerr << "  " << violation.field() << ": " << violation.description()
                << "\n";
    }
  }
  if (const auto info = DetailOf<google::rpc::ErrorInfo>(status)) {
    std::cerr << "  " << info->reason() << " of " << info->domain();
    for (const auto& [key, value] : info->metadata()) {
      std::cerr << ", " << key << "=" << value;
    }
    std::cerr << "\n";
  }
  const Decision decision = Decide(status.error_code());
  std::cerr << "  retry: " << Describe(decision.retry) << "; "
            << decision.action << "\n";
}

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  milliseconds timeout{5000};
  bool reuse_context = false;
  std::vector<std::int64_t> ids;
  std::vector<std::string> fields;
  CLI::App app("Looks up users. Without an ID: shows how lookups end.");
  app.add_option("--address", address, "where the server listens");
  workshop::AddSeconds(app, "--timeout", timeout, "how long a call may take");
  app.add_flag("--reuse-context", reuse_context, "fall into a trap");
  CLI::Option* const id = app.add_option("ID", ids, "whom to look up");
  app.add_option("--fields", fields, "what to ask for: name,email")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(id);
  if (const auto exit = workshop::ParseFlags(app, argc, argv)) return *exit;

  std::vector<Lookup> lookups;
  for (const std::int64_t id : ids) lookups.push_back({id, fields});
  if (ids.empty()) lookups = Demonstration();

  const std::unique_ptr<Users::Stub> stub = Users::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  bool as_expected = true;
  std::optional<grpc::ClientContext> context;
  for (const Lookup& lookup : lookups) {
    GetUserRequest request;
    request.set_id(lookup.id);
    for (const std::string& field : lookup.fields) {
      request.mutable_read_mask()->add_paths(field);
    }
    GetUserResponse response;
    // One call's deadline, metadata and cancellation: every call needs its own.
    if (!context || !reuse_context) context.emplace();
    context->set_deadline(system_clock::now() + timeout);
    const grpc::Status status = stub->GetUser(&*context, request, &response);
    if (status.ok()) {
      std::cout << response.user().ShortDebugString() << std::endl;
    } else {
      std::cerr << "user " << lookup.id << ": ";
      Explain(status);
    }
    as_expected = as_expected && status.error_code() == lookup.expected;
  }
  return as_expected ? workshop::kDone : workshop::kFailed;
}
