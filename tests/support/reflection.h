// What contract a server says it has, by gRPC's reflection service, and how
// that differs from what was asked for. For suites of which the learner writes
// the .proto.

#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"

namespace workshop::testing {

// Asks for the file that declares `service`, and those that it imports, and
// adds them to `pool`. `context` has a deadline, and metadata if they are
// needed.
inline grpc::Status FetchContract(const std::shared_ptr<grpc::Channel>& channel,
                                  grpc::ClientContext& context,
                                  const std::string& service,
                                  google::protobuf::DescriptorPool& pool) {
  using grpc::reflection::v1alpha::ServerReflection;
  grpc::reflection::v1alpha::ServerReflectionRequest request;
  grpc::reflection::v1alpha::ServerReflectionResponse response;
  request.set_file_containing_symbol(service);
  const auto stub = ServerReflection::NewStub(channel);
  const auto stream = stub->ServerReflectionInfo(&context);
  const bool answered = stream->Write(request) && stream->Read(&response);
  stream->WritesDone();
  grpc::Status status = stream->Finish();
  if (!status.ok()) return status;
  if (!answered || response.has_error_response()) {
    return {grpc::StatusCode::NOT_FOUND, "the server does not know " + service};
  }
  // Each file after those that it imports, in whatever order they came.
  std::vector<google::protobuf::FileDescriptorProto> files;
  for (const auto& file :
       response.file_descriptor_response().file_descriptor_proto()) {
    files.emplace_back().ParseFromString(file);
  }
  for (std::size_t round = 0; round < files.size(); ++round) {
    for (const auto& file : files) {
      bool ready = pool.FindFileByName(file.name()) == nullptr;
      for (const std::string& import : file.dependency()) {
        ready = ready && pool.FindFileByName(import) != nullptr;
      }
      if (ready) pool.BuildFile(file);
    }
  }
  return grpc::Status::OK;
}

// A declaration as people write it: "int64 id = 1;".
template <class Descriptor>
std::string Declaration(const Descriptor& descriptor) {
  std::string text = descriptor.DebugString();
  const std::string package = "." + descriptor.file()->package() + ".";
  for (auto at = text.find(package); at != std::string::npos;
       at = text.find(package)) {
    text.erase(at, package.size());
  }
  text.erase(0, text.find_first_not_of(' '));
  while (text.ends_with('\n')) text.pop_back();
  return "`" + text + "`";
}

// How the message `actual` differs from `wanted`, a sentence for each field.
// Further fields are nobody's business.
inline std::vector<std::string> Differences(
    const google::protobuf::Descriptor& wanted,
    const google::protobuf::Descriptor* actual) {
  if (actual == nullptr) return {"there is no message " + wanted.name()};
  std::vector<std::string> differences;
  for (int i = 0; i < wanted.field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *wanted.field(i);
    const auto* found = actual->FindFieldByName(field.name());
    if (found == nullptr) found = actual->FindFieldByNumber(field.number());
    const auto type_of = [](const google::protobuf::FieldDescriptor& any) {
      return any.message_type() == nullptr ? std::string(any.type_name())
                                           : any.message_type()->full_name();
    };
    if (found == nullptr) {
      differences.push_back(wanted.name() + " has no field " + field.name() +
                            ": it should be " + Declaration(field));
    } else if (found->name() != field.name() ||
               found->number() != field.number() ||
               found->is_repeated() != field.is_repeated() ||
               type_of(*found) != type_of(field)) {
      differences.push_back(wanted.name() + " has " + Declaration(*found) +
                            ": it should be " + Declaration(field));
    }
  }
  return differences;
}

// The same for a call, with its messages.
inline std::vector<std::string> Differences(
    const google::protobuf::MethodDescriptor& wanted,
    const google::protobuf::ServiceDescriptor& actual) {
  const auto* const found = actual.FindMethodByName(wanted.name());
  if (found == nullptr) {
    return {"the service has no call " + wanted.name() + ": it should be " +
            Declaration(wanted)};
  }
  if (found->input_type()->full_name() != wanted.input_type()->full_name() ||
      found->output_type()->full_name() != wanted.output_type()->full_name() ||
      found->client_streaming() != wanted.client_streaming() ||
      found->server_streaming() != wanted.server_streaming()) {
    return {"the service has " + Declaration(*found) + ": it should be " +
            Declaration(wanted)};
  }
  std::vector<std::string> differences =
      Differences(*wanted.input_type(), found->input_type());
  for (std::string& difference :
       Differences(*wanted.output_type(), found->output_type())) {
    differences.push_back(std::move(difference));
  }
  return differences;
}

}  // namespace workshop::testing
