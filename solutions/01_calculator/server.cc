// A calculator that never lies. README.md says what it promises.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "lessons/common/program.h"
#include "workshop/calculator/v1/calculator.grpc.pb.h"

namespace {

using workshop::calculator::v1::BinaryRequest;
using workshop::calculator::v1::Calculator;
using workshop::calculator::v1::DivideResponse;
using workshop::calculator::v1::NumberResponse;

class CalculatorService final : public Calculator::Service {
  grpc::Status Add(grpc::ServerContext* context, const BinaryRequest* request,
                   NumberResponse* response) override {
    std::int64_t result = 0;
    if (__builtin_add_overflow(request->a(), request->b(), &result)) {
      return {grpc::StatusCode::OUT_OF_RANGE, "a + b does not fit into int64"};
    }
    response->set_result(result);
    return grpc::Status::OK;
  }

  grpc::Status Subtract(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    std::int64_t result = 0;
    if (__builtin_sub_overflow(request->a(), request->b(), &result)) {
      return {grpc::StatusCode::OUT_OF_RANGE, "a - b does not fit into int64"};
    }
    response->set_result(result);
    return grpc::Status::OK;
  }

  grpc::Status Multiply(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    std::int64_t result = 0;
    if (__builtin_mul_overflow(request->a(), request->b(), &result)) {
      return {grpc::StatusCode::OUT_OF_RANGE, "a * b does not fit into int64"};
    }
    response->set_result(result);
    return grpc::Status::OK;
  }

  grpc::Status Divide(grpc::ServerContext* context,
                      const BinaryRequest* request,
                      DivideResponse* response) override {
    const std::int64_t a = request->a();
    const std::int64_t b = request->b();
    // Checked first: C++ throws for neither, and both can kill the process.
    if (b == 0) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "b must not be zero"};
    }
    if (a == std::numeric_limits<std::int64_t>::min() && b == -1) {
      return {grpc::StatusCode::OUT_OF_RANGE, "a / b does not fit into int64"};
    }
    response->set_quotient(a / b);
    response->set_remainder(a % b);
    return grpc::Status::OK;
  }
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  CLI::App app("Calculates with 64-bit integers.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  CalculatorService service;
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  return workshop::ServeUntilStopped(builder, address);
}
