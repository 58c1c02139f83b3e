// The check of a caller's token, and the place for it in front of every call:
// a processor on the server's credentials.

#pragma once

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/auth_metadata_processor.h>

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "lessons/03_interceptors/metadata.h"

namespace workshop {

// Compares in a time that depends on the lengths alone, so that nobody can
// guess a token byte by byte with a stopwatch.
inline bool SameSecret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return difference == 0;
}

// OK if the metadata of a call say "authorization: Bearer TOKEN", once.
// UNAUTHENTICATED: they do not.
inline grpc::Status CheckToken(const ReceivedMetadata& metadata,
                               const std::string& token) {
  if (metadata.count("authorization") == 1 &&
      SameSecret(MetadataOr(metadata, "authorization", ""),
                 "Bearer " + token)) {
    return grpc::Status::OK;
  }
  return {grpc::StatusCode::UNAUTHENTICATED,
          "authorization: a valid bearer token is required"};
}

// Refuses a call before any handler or server interceptor knows of it.
class TokenProcessor final : public grpc::AuthMetadataProcessor {
 public:
  explicit TokenProcessor(std::string token) : token_(std::move(token)) {}

  // It only compares. A processor that asks a database must say true, and is
  // then called in a thread of its own.
  bool IsBlocking() const override { return false; }

  // What is written into `context` belongs to the connection: every later call
  // on it sees that too. The name of a caller must not go there.
  grpc::Status Process(const InputMetadata& metadata,
                       grpc::AuthContext* context, OutputMetadata* consumed,
                       OutputMetadata* response) override {
    grpc::Status status = CheckToken(metadata, token_);
    // What is consumed the handlers do not see, and so cannot leak.
    if (status.ok()) consumed->emplace("authorization", "Bearer " + token_);
    return status;
  }

 private:
  const std::string token_;
};

}  // namespace workshop
