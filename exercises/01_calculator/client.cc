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
  // TODO 6: all three are required, and the operation is one of the four
  // (CLI11 checks that for you: required() and check(CLI::IsMember(...))).
  app.add_option("operation", operation, "add, subtract, multiply or divide");
  app.add_option("a", a, "the left operand");
  app.add_option("b", b, "the right operand");
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  // TODO 7: make a channel, a stub and a context with a deadline, call the
  // operation, and print its result: "7", or for divide "3 remainder 1".
  // TODO 8: if the call failed, name its status code (workshop::CodeName) on
  // stderr and end with workshop::kFailed.
  std::cerr << "TODO 7: the client does not call yet\n";
  return workshop::kFailed;
}
