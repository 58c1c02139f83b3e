// A server with interceptors, and with a choice of where calls are refused: two
// places that work, and five that do not.

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lessons/03_interceptors/every_call.h"
#include "lessons/03_interceptors/logging_interceptor.h"
#include "lessons/03_interceptors/services.h"
#include "lessons/03_interceptors/token.h"
#include "lessons/03_interceptors/tracing_interceptor.h"
#include "lessons/03_interceptors/wrong_interceptors.h"
#include "lessons/common/program.h"

namespace {

using workshop::AskIfCancelledFactory;
using workshop::CalculatorService;
using workshop::CallRecord;
using workshop::EveryCall;
using workshop::LoggingInterceptorFactory;
using workshop::PrimesService;
using workshop::TokenProcessor;
using workshop::TracingInterceptorFactory;
using workshop::WrongRefusalFactory;

void PrintRecord(const CallRecord& call) {
  const std::chrono::duration<double, std::milli> time = call.duration;
  std::cerr << fmt::format(
      "{} {} {:.3f} ms {} {} in {} out{}\n", call.method,
      call.code ? workshop::CodeName(*call.code) : "no status", time.count(),
      call.peer, call.received, call.sent, call.cut_off ? " cut off" : "");
}

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  std::string token = "workshop";
  std::string refuse_in = "handler";
  bool trace = false;
  bool ask_if_cancelled = false;
  EveryCall::Rules rules;
  CLI::App app("Calculates and lists primes for callers with a token.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  app.add_option("--token", token, "the token that callers must show");
  app.add_option("--refuse-in", refuse_in, "where calls without it are refused")
      ->check(
          CLI::IsMember({"handler", "processor", "try-cancel", "modify-status",
                         "no-proceed", "hijack", "insecure-processor"}));
  app.add_flag("--trace", trace, "print each call of two more interceptors");
  app.add_flag("--ask-if-cancelled", ask_if_cancelled,
               "ask in an interceptor whether a call was cancelled");
  app.add_flag("!--echo-unchecked", rules.check_user_id,
               "send a user-id back without a look at it");
  app.callback([&token] {
    if (!token.empty()) return;
    throw CLI::ValidationError("--token", "must not be empty");
  });
  if (const auto status = workshop::ParseFlags(app, argc, argv)) return *status;
  workshop::BlockStopSignals();  // before credentials start a thread

  std::shared_ptr<grpc::ServerCredentials> credentials =
      grpc::InsecureServerCredentials();
  if (refuse_in == "handler") rules.token = token;
  if (refuse_in == "processor") {
    // Secure because nothing leaves the machine. Across machines: TLS.
    credentials = grpc::experimental::LocalServerCredentials(
        address.rfind("unix:", 0) == 0 ? UDS : LOCAL_TCP);
  }
  if (refuse_in == "processor" || refuse_in == "insecure-processor") {
    credentials->SetAuthMetadataProcessor(
        std::make_shared<TokenProcessor>(token));
  }

  // From the inside out: the last one is the first to see a call come in and
  // the last to see its status go out.
  std::vector<
      std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>>
      interceptors;
  if (trace) {
    interceptors.push_back(
        std::make_unique<TracingInterceptorFactory>("inner"));
  }
  if (ask_if_cancelled) {
    interceptors.push_back(std::make_unique<AskIfCancelledFactory>());
  }
  const auto wrong_way = workshop::kWrongWays.find(refuse_in);
  if (wrong_way != workshop::kWrongWays.end()) {
    interceptors.push_back(
        std::make_unique<WrongRefusalFactory>(wrong_way->second, token));
  }
  interceptors.push_back(
      std::make_unique<LoggingInterceptorFactory>(PrintRecord));
  if (trace) {
    interceptors.push_back(
        std::make_unique<TracingInterceptorFactory>("outer"));
  }

  const EveryCall every_call(rules);
  CalculatorService calculator(every_call);
  PrimesService primes(every_call);
  grpc::ServerBuilder builder;
  builder.RegisterService(&calculator);
  builder.RegisterService(&primes);
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  return workshop::ServeUntilStopped(builder, address, credentials);
}
