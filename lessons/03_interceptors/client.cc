// A client with interceptors: what they add, no call below has to say.

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/client_interceptor.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lessons/03_interceptors/client_interceptors.h"
#include "lessons/03_interceptors/metadata.h"
#include "lessons/03_interceptors/tracing_interceptor.h"
#include "lessons/common/program.h"
#include "workshop/calculator/v1/calculator.grpc.pb.h"
#include "workshop/primes/v1/primes.grpc.pb.h"

namespace {

using workshop::Describe;
using workshop::TimingInterceptorFactory;
using workshop::TokenInterceptorFactory;
using workshop::TracingInterceptorFactory;
using workshop::calculator::v1::BinaryRequest;
using workshop::calculator::v1::Calculator;
using workshop::calculator::v1::NumberResponse;
using workshop::primes::v1::ListPrimesRequest;
using workshop::primes::v1::ListPrimesResponse;
using workshop::primes::v1::Primes;

struct Settings {
  std::string address = "127.0.0.1:50051";
  std::string token = "workshop";
  std::string user_id;
  std::chrono::milliseconds timeout{5000};
  bool trace = false;
  bool unchecked = false;
};

void PrintTime(const std::string& method, const grpc::Status& status,
               std::chrono::steady_clock::duration time) {
  const std::chrono::duration<double, std::milli> ms = time;
  std::cerr << fmt::format("{} {} {:.3f} ms\n", method,
                           workshop::CodeName(status.error_code()), ms.count());
}

std::shared_ptr<grpc::Channel> NewChannel(const Settings& settings) {
  // From the outside in: the first one sees a call first and its status last.
  std::vector<
      std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>>
      interceptors;
  if (settings.trace) {
    interceptors.push_back(
        std::make_unique<TracingInterceptorFactory>("outer"));
  }
  interceptors.push_back(std::make_unique<TimingInterceptorFactory>(PrintTime));
  if (!settings.token.empty()) {
    interceptors.push_back(
        std::make_unique<TokenInterceptorFactory>(settings.token));
  }
  if (settings.trace) {
    interceptors.push_back(
        std::make_unique<TracingInterceptorFactory>("inner"));
  }
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      settings.address, grpc::InsecureChannelCredentials(),
      grpc::ChannelArguments(), std::move(interceptors));
}

// What is different in each call stays with the call.
void Prepare(const Settings& settings, grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + settings.timeout);
  if (!settings.user_id.empty()) {
    context.AddMetadata("user-id", settings.user_id);
  }
  // Under a key that ends in "-bin" any bytes do.
  context.AddMetadata("request-id-bin", std::string("\0\xff\n\x42", 4));
}

// Prints how a call ended; true if it did well.
bool Report(const grpc::Status& status, const grpc::ClientContext& context) {
  std::cout << Describe("initial", context.GetServerInitialMetadata())
            << Describe("trailing", context.GetServerTrailingMetadata());
  if (status.ok()) return true;
  std::cerr << workshop::CodeName(status.error_code()) + ": " +
                   status.error_message() + "\n";
  return false;
}

bool Add(const Settings& settings, Calculator::Stub& stub) {
  grpc::ClientContext context;
  Prepare(settings, context);
  BinaryRequest request;
  request.set_a(7);
  request.set_b(2);
  NumberResponse response;
  const grpc::Status status = stub.Add(&context, request, &response);
  if (status.ok()) std::cout << "7 + 2 = " << response.result() << "\n";
  return Report(status, context);
}

bool ListPrimes(const Settings& settings, Primes::Stub& stub) {
  grpc::ClientContext context;
  Prepare(settings, context);
  ListPrimesRequest request;
  request.set_limit(6);
  const std::unique_ptr<grpc::ClientReader<ListPrimesResponse>> reader =
      stub.ListPrimes(&context, request);
  ListPrimesResponse response;
  while (reader->Read(&response)) {
    std::cout << "prime " << response.prime() << "\n";
  }
  return Report(reader->Finish(), context);
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app("Adds two numbers and lists the first primes.");
  app.add_option("--address", settings.address, "where the server listens");
  app.add_option("--token", settings.token, "sent with each call; '': none");
  app.add_option("--user-id", settings.user_id, "on whose account");
  workshop::AddSeconds(app, "--timeout", settings.timeout,
                       "seconds to wait for each call");
  app.add_flag("--trace", settings.trace,
               "print each call of two more interceptors");
  app.add_flag("--unchecked", settings.unchecked,
               "send token and user-id without a look at them");
  app.callback([&settings] {
    if (settings.unchecked) return;
    for (const std::string& value : {settings.token, settings.user_id}) {
      if (workshop::IsSendable(value)) continue;
      throw CLI::ValidationError("--token and --user-id",
                                 "must be printable ASCII");
    }
  });
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;

  const std::shared_ptr<grpc::Channel> channel = NewChannel(settings);
  const auto calculator = Calculator::NewStub(channel);
  const auto primes = Primes::NewStub(channel);
  const bool added = Add(settings, *calculator);
  const bool listed = ListPrimes(settings, *primes);
  return added && listed ? workshop::kDone : workshop::kFailed;
}
