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
    // TODO 1: answer a + b (task 1).
    // TODO 2: refuse a sum that does not fit into int64 (task 2).
    return {grpc::StatusCode::UNIMPLEMENTED, "TODO 1: Add"};
  }

  grpc::Status Subtract(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    // TODO 3: answer a - b (task 1).
    // TODO 4: refuse a difference that does not fit into int64 (task 2).
    return {grpc::StatusCode::UNIMPLEMENTED, "TODO 3: Subtract"};
  }

  grpc::Status Multiply(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    // TODO 5: answer a * b (task 1).
    // TODO 6: refuse a product that does not fit into int64 (task 2).
    return {grpc::StatusCode::UNIMPLEMENTED, "TODO 5: Multiply"};
  }

  grpc::Status Divide(grpc::ServerContext* context,
                      const BinaryRequest* request,
                      DivideResponse* response) override {
    // TODO 7: answer a / b and a % b (task 1).
    // TODO 8: refuse a division by zero (task 2).
    // TODO 9: refuse the one quotient that does not fit into int64 (task 2).
    return {grpc::StatusCode::UNIMPLEMENTED, "TODO 7: Divide"};
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
