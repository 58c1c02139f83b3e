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
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using std::chrono::system_clock;
using workshop::greeter::v1::Greeter;
using workshop::greeter::v1::SayHelloRequest;
using workshop::greeter::v1::SayHelloResponse;

constexpr seconds kGrace(2);  // for the calls that run when we are stopped

class GreeterService final : public Greeter::Service {
 public:
  explicit GreeterService(seconds work) : work_(work) {}

 private:
  // Every call runs in a thread of its own, so this runs in several at once.
  grpc::Status SayHello(grpc::ServerContext* context,
                        const SayHelloRequest* request,
                        SayHelloResponse* response) override {
    std::cerr << "SayHello from " + context->peer() + "\n";
    // Stands for slow work. When the deadline passes or the client goes away,
    // gRPC ends the call, but only the handler can end the handler's work.
    const auto done = steady_clock::now() + work_;
    while (steady_clock::now() < done) {
      if (context->IsCancelled()) {
        std::cerr << "SayHello stops: nobody waits for the answer\n";
        return grpc::Status::CANCELLED;
      }
      std::this_thread::sleep_for(milliseconds(10));
    }
    response->set_message("Hello, " + request->name() + "!");
    // TimeUtil::GetCurrentTime() would do, but it counts in whole seconds.
    const auto now = system_clock::now().time_since_epoch();
    *response->mutable_server_time() = TimeUtil::MillisecondsToTimestamp(
        std::chrono::duration_cast<milliseconds>(now).count());
    return grpc::Status::OK;
  }

  const seconds work_;
};

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  int work_seconds = 0;
  int max_threads = 0;
  bool reuse_port = false;
  CLI::App app("Greets people by name.");
  app.add_option("--address", address, "HOST:PORT (0: any free) or unix:/PATH");
  app.add_option("--work", work_seconds, "how long each call takes, in seconds")
      ->check(CLI::Range(0, 3600));
  app.add_option("--max-threads", max_threads, "bound of the thread pool")
      ->check(CLI::Range(2, 1000));
  app.add_flag("--reuse-port", reuse_port, "share the port, gRPC's default");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;  // 0: it was --help
  }

  // Blocked before gRPC starts its threads, which inherit this: so the signal
  // stays pending until sigwait() takes it. A signal handler must not call
  // Shutdown(), which takes locks that the interrupted thread may hold.
  sigset_t stop_signals;
  sigemptyset(&stop_signals);
  sigaddset(&stop_signals, SIGINT);
  sigaddset(&stop_signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  GreeterService service{seconds(work_seconds)};
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &port);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, reuse_port ? 1 : 0);
  if (max_threads > 0) {
    builder.SetResourceQuota(grpc::ResourceQuota().SetMaxThreads(max_threads));
  }
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    std::cerr << "cannot listen on " << address << ", see the line above\n";
    return 1;
  }
  if (!address.starts_with("unix:")) {  // port 0 has become a real one
    const std::string host = address.substr(0, address.rfind(':'));
    address = host + ":" + std::to_string(port);
  }
  std::cout << "listening on " << address << std::endl;

  int signal = 0;
  sigwait(&stop_signals, &signal);
  server->Shutdown(system_clock::now() + kGrace);
  return 0;
}
