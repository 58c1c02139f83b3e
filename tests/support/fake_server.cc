#include "tests/support/fake_server.h"

#include <chrono>
#include <thread>

namespace workshop::testing {

FakeServer::FakeServer(grpc::Service* service) {
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(service);
  server_ = builder.BuildAndStart();
  address_ = "127.0.0.1:" + std::to_string(port);
}

FakeServer::~FakeServer() {
  server_->Shutdown(std::chrono::system_clock::now());
}

void WaitUntilCancelled(grpc::ServerContext& context) {
  // The synchronous API tells a handler of a cancellation only when asked.
  while (!context.IsCancelled()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace workshop::testing
