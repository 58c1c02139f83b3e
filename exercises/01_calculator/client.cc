// Asks a calculator for one result. README.md says what it promises.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
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

// What is wrong with an operand; nothing if it is fine. CLI11 by itself takes
// 010 for 8, and a number that does not fit for the nearest one that does.
std::string OperandProblem(const std::string& text) {
  std::int64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  if (std::to_string(number) == text) return "";
  return "\"" + text + "\" is not a decimal number that fits into int64";
}

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  double timeout_seconds = 5;
  std::string operation;
  std::int64_t a = 0;
  std::int64_t b = 0;
  CLI::App app("Asks a calculator for one result.");
  app.add_option("--address", address, "where the server listens");
  app.add_option("--timeout", timeout_seconds, "how long to wait, in seconds")
      ->check(CLI::Range(0.001, 86400.0));
  // TODO 10: insist on all three, and on an operation that is one of the four:
  // ->required(), ->check(CLI::IsMember({...})).
  app.add_option("operation", operation, "add, subtract, multiply or divide");
  app.add_option("a", a, "the left operand")->check(OperandProblem);
  app.add_option("b", b, "the right operand")->check(OperandProblem);
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  // TODO 11: call the operation, with a deadline of timeout_seconds from now.
  // TODO 12: if the call failed, name its code on stderr (workshop::CodeName)
  // and end with workshop::kFailed.
  // TODO 13: print the result: "7", or for divide "3 remainder 1".
  std::cerr << "TODO 11: the client does not call yet\n";
  return workshop::kFailed;
}
