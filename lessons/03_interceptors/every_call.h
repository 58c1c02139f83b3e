// What every handler needs before and after its own work, as a function that
// handlers call. Unlike an interceptor, it can refuse.

#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <utility>

#include "lessons/03_interceptors/metadata.h"
#include "lessons/03_interceptors/token.h"

namespace workshop {

class EveryCall {
 public:
  struct Rules {
    // What a caller must show. None: somebody else looks at that.
    std::optional<std::string> token;
    // Whether to check a value before it is sent back. Leave it so.
    bool check_user_id = true;
  };

  explicit EveryCall(Rules rules) : rules_(std::move(rules)) {}

  // Runs `work`, the handler's own part, and returns its status.
  // UNAUTHENTICATED: the call has no valid token.
  // INVALID_ARGUMENT: its user-id is not printable ASCII.
  template <class Work>
  grpc::Status Run(grpc::ServerContext& context, const Work& work) const {
    const ReceivedMetadata& metadata = context.client_metadata();
    if (rules_.token) {
      grpc::Status status = CheckToken(metadata, *rules_.token);
      if (!status.ok()) return status;
    }
    const std::string user = MetadataOr(metadata, "user-id", "anonymous");
    if (rules_.check_user_id && !IsSendable(user)) {
      return {grpc::StatusCode::INVALID_ARGUMENT,
              "user-id must be printable ASCII"};
    }
    std::cerr << "handler runs for " + user + "\n";

    // Initial metadata go out with the first message: what is known by now.
    const std::string id = MetadataOr(metadata, "request-id-bin", "");
    if (!id.empty()) context.AddInitialMetadata("request-id-bin", id);

    const auto start = std::chrono::steady_clock::now();
    grpc::Status status = work();

    // Trailing metadata go out with the status, also with a bad one: what is
    // known only at the end.
    const std::chrono::duration<double, std::milli> time =
        std::chrono::steady_clock::now() - start;
    context.AddTrailingMetadata("handler-time",
                                fmt::format("{:.3f} ms", time.count()));
    context.AddTrailingMetadata("user-id", user);
    return status;
  }

 private:
  const Rules rules_;
};

}  // namespace workshop
