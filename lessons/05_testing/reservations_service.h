// The service under test.

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>

#include "lessons/05_testing/clock.h"
#include "lessons/05_testing/repository.h"
#include "workshop/reservations/v1/reservations.grpc.pb.h"

namespace workshop::reservations {

class ReservationsService : public v1::Reservations::Service {
 public:
  // Holds seats for `hold`. What it is given must outlive it.
  ReservationsService(Repository& repository, const Clock& clock,
                      std::chrono::milliseconds hold)
      : repository_(repository), clock_(clock), hold_(hold) {}

  // Public, which the generated class does not ask for, so that a test can call
  // them directly.
  grpc::Status Reserve(grpc::ServerContext* context,
                       const v1::ReserveRequest* request,
                       v1::ReserveResponse* response) override;
  grpc::Status Confirm(grpc::ServerContext* context,
                       const v1::ConfirmRequest* request,
                       v1::ConfirmResponse* response) override;
  grpc::Status List(grpc::ServerContext* context,
                    const v1::ListRequest* request,
                    grpc::ServerWriter<v1::ListResponse>* writer) override;

  // What List() does. Only gRPC can make a grpc::ServerWriter; a test has a
  // mock of its interface.
  grpc::Status ListTo(grpc::ServerWriterInterface<v1::ListResponse>& writer);

 private:
  Repository& repository_;
  const Clock& clock_;
  const std::chrono::milliseconds hold_;
};

}  // namespace workshop::reservations
