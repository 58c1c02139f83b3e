// Statuses with details, written and read.

#pragma once

#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/error_details.h>

#include <optional>
#include <string>

#include "google/rpc/status.pb.h"

namespace workshop::users {

// The status with one detail: any message that both sides know.
inline grpc::Status RichStatus(grpc::StatusCode code,
                               const std::string& message,
                               const google::protobuf::Message& detail) {
  google::rpc::Status rich;
  rich.set_code(code);
  rich.set_message(message);
  rich.add_details()->PackFrom(detail);
  grpc::Status status;
  grpc::SetErrorDetails(rich, &status);  // fails only without a status
  return status;
}

// The first detail of the type `Detail`. Nothing if there is none, or if what
// came over the network is no google.rpc.Status.
template <class Detail>
std::optional<Detail> DetailOf(const grpc::Status& status) {
  google::rpc::Status rich;
  if (!grpc::ExtractErrorDetails(status, &rich).ok()) return std::nullopt;
  for (const google::protobuf::Any& any : rich.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

}  // namespace workshop::users
