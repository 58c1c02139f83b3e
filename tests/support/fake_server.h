// A server of the suite's own, for the learner's client to talk to.

#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace workshop::testing {

// Serves `service` on a free port of 127.0.0.1 for its own lifetime, in which
// `service` must live too. Running calls are cancelled at its end.
class FakeServer {
 public:
  explicit FakeServer(grpc::Service* service);
  ~FakeServer();

  const std::string& address() const { return address_; }

 private:
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
};

// Waits in a handler until nobody waits for its answer any more.
void WaitUntilCancelled(grpc::ServerContext& context);

}  // namespace workshop::testing
