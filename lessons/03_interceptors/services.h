// The two services of this lesson: one with unary calls, one with a stream.

#pragma once

#include <grpcpp/grpcpp.h>

#include <cstdint>
#include <limits>
#include <string>

#include "lessons/03_interceptors/every_call.h"
#include "workshop/calculator/v1/calculator.grpc.pb.h"
#include "workshop/primes/v1/primes.grpc.pb.h"

namespace workshop {

class CalculatorService final : public calculator::v1::Calculator::Service {
 public:
  explicit CalculatorService(const EveryCall& every_call)
      : every_call_(every_call) {}

 private:
  using BinaryRequest = calculator::v1::BinaryRequest;
  using NumberResponse = calculator::v1::NumberResponse;
  using DivideResponse = calculator::v1::DivideResponse;

  grpc::Status Add(grpc::ServerContext* context, const BinaryRequest* request,
                   NumberResponse* response) override {
    return every_call_.Run(*context, [&] {
      std::int64_t result = 0;
      const bool wrong =
          __builtin_add_overflow(request->a(), request->b(), &result);
      return Answer(result, wrong, "a + b", *response);
    });
  }

  grpc::Status Subtract(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    return every_call_.Run(*context, [&] {
      std::int64_t result = 0;
      const bool wrong =
          __builtin_sub_overflow(request->a(), request->b(), &result);
      return Answer(result, wrong, "a - b", *response);
    });
  }

  grpc::Status Multiply(grpc::ServerContext* context,
                        const BinaryRequest* request,
                        NumberResponse* response) override {
    return every_call_.Run(*context, [&] {
      std::int64_t result = 0;
      const bool wrong =
          __builtin_mul_overflow(request->a(), request->b(), &result);
      return Answer(result, wrong, "a * b", *response);
    });
  }

  grpc::Status Divide(grpc::ServerContext* context,
                      const BinaryRequest* request,
                      DivideResponse* response) override {
    return every_call_.Run(*context, [&] {
      const std::int64_t a = request->a();
      const std::int64_t b = request->b();
      if (b == 0) {
        return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                            "b must not be zero");
      }
      if (a == std::numeric_limits<std::int64_t>::min() && b == -1) {
        return DoesNotFit("a / b");
      }
      response->set_quotient(a / b);
      response->set_remainder(a % b);
      return grpc::Status::OK;
    });
  }

  static grpc::Status DoesNotFit(const std::string& expression) {
    return {grpc::StatusCode::OUT_OF_RANGE,
            expression + " does not fit into an int64"};
  }

  static grpc::Status Answer(std::int64_t result, bool wrong,
                             const std::string& expression,
                             NumberResponse& response) {
    if (wrong) return DoesNotFit(expression);
    response.set_result(result);
    return grpc::Status::OK;
  }

  const EveryCall& every_call_;
};

class PrimesService final : public primes::v1::Primes::Service {
 public:
  explicit PrimesService(const EveryCall& every_call)
      : every_call_(every_call) {}

 private:
  grpc::Status ListPrimes(
      grpc::ServerContext* context,
      const primes::v1::ListPrimesRequest* request,
      grpc::ServerWriter<primes::v1::ListPrimesResponse>* writer) override {
    return every_call_.Run(*context, [&] {
      if (request->limit() < 0 || request->limit() > 1'000'000) {
        return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                            "limit must be from 0 to 1000000");
      }
      primes::v1::ListPrimesResponse response;
      for (int n = 2; n < request->limit(); ++n) {
        if (!IsPrime(n)) continue;
        response.set_prime(n);
        if (!writer->Write(response)) return grpc::Status::CANCELLED;
      }
      return grpc::Status::OK;
    });
  }

  static bool IsPrime(int n) {
    for (int i = 2; i * i <= n; ++i) {
      if (n % i == 0) return false;
    }
    return n > 1;
  }

  const EveryCall& every_call_;
};

}  // namespace workshop
