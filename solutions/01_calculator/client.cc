// Asks a calculator for one result. README.md says what it promises.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>

#include "lessons/common/program.h"
#include "workshop/calculator/v1/calculator.grpc.pb.h"

namespace {

using workshop::calculator::v1::BinaryRequest;
using workshop::calculator::v1::Calculator;
using workshop::calculator::v1::DivideResponse;
using workshop::calculator::v1::NumberResponse;

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  double timeout_seconds = 5;
  std::string operation;
  std::int64_t a = 0;
  std::int64_t b = 0;
  CLI::App app("Asks a calculator for one result.");
  app.add_option("--address", address, "where the server listens");
  app.add_option("--timeout", timeout_seconds, "how long to wait, in seconds");
  app.add_option("operation", operation, "add, subtract, multiply or divide")
      ->required()
      ->check(CLI::IsMember({"add", "subtract", "multiply", "divide"}));
  app.add_option("a", a, "the left operand")->required();
  app.add_option("b", b, "the right operand")->required();
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  const std::unique_ptr<Calculator::Stub> stub = Calculator::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  BinaryRequest request;
  request.set_a(a);
  request.set_b(b);
  grpc::ClientContext context;
  context.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::milliseconds(std::llround(timeout_seconds * 1000)));

  NumberResponse number;
  DivideResponse division;
  grpc::Status status;
  if (operation == "add") {
    status = stub->Add(&context, request, &number);
  } else if (operation == "subtract") {
    status = stub->Subtract(&context, request, &number);
  } else if (operation == "multiply") {
    status = stub->Multiply(&context, request, &number);
  } else {
    status = stub->Divide(&context, request, &division);
  }
  if (!status.ok()) {
    std::cerr << workshop::CodeName(status.error_code()) << ": "
              << status.error_message() << "\n";
    return workshop::kFailed;
  }
  if (operation == "divide") {
    std::cout << division.quotient() << " remainder " << division.remainder()
              << "\n";
  } else {
    std::cout << number.result() << "\n";
  }
  return workshop::kDone;
}
