// A gRPC server, whole: one service, one port, and a clean way to stop.

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "workshop/greeter/v1/greeter.grpc.pb.h"

namespace {

using google::protobuf::util::TimeUtil;
using workshop::greeter::v1::Greeter;
using workshop::greeter::v1::SayHelloRequest;
using workshop::greeter::v1::SayHelloResponse;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using std::literals::operator""ms;
using std::literals::operator""s;

class GreeterService final : public Greeter::Service {
 public:
  explicit GreeterService(steady_clock::duration work) : work_(work) {}

 private:
  grpc::Status SayHello(grpc::ServerContext* context,
                        const SayHelloRequest* request,
                        SayHelloResponse* response) override {
    // Slow work, if asked for. It looks now and then whether anybody still
    // waits for the answer: gRPC ends the call, but only we can end the work.
    const auto done = steady_clock::now() + work_;
    while (steady_clock::now() < done) {
      if (context->IsCancelled()) return grpc::Status::CANCELLED;
      std::this_thread::sleep_for(10ms);
    }
    response->set_message("Hello, " + request->name() + "!");
    *response->mutable_server_time() = TimeUtil::GetCurrentTime();
    return grpc::Status::OK;
  }

  const steady_clock::duration work_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  double work_seconds = 0;
  int max_threads = 0;
  CLI::App app("Greets people, one call at a time.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  app.add_option("--work", work_seconds, "seconds of work in each call");
  app.add_option("--max-threads", max_threads, "bound on the thread pool");
  CLI11_PARSE(app, argc, argv);

  // Blocked before gRPC starts its threads, which inherit this, so that the
  // signal waits for sigwait() below. A signal handler could not do the work:
  // Shutdown() takes locks, and the handler may run in a thread that has them.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  GreeterService service(
      std::chrono::milliseconds(static_cast<int>(work_seconds * 1000)));
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  // Without this, two servers can share one port and each gets half the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  if (max_threads > 0) {
    builder.SetResourceQuota(
        grpc::ResourceQuota("workshop").SetMaxThreads(max_threads));
  }
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << "cannot listen on " << address << "\n";
    return 1;
  }
  if (address.rfind("unix:", 0) != 0) {
    address.replace(address.rfind(':') + 1, std::string::npos,
                    std::to_string(port));
  }
  std::cout << "listening on " << address << std::endl;

  int signal = 0;
  sigwait(&stop_signals, &signal);
  std::cout << "stopping" << std::endl;
  server->Shutdown(system_clock::now() + 2s);
  return 0;
}
