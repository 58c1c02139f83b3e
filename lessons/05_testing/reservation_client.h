// The client code under test: what a program says to the service.

#pragma once

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "workshop/reservations/v1/reservations.grpc.pb.h"

namespace workshop::reservations {

class ReservationClient {
 public:
  // Talks through `stub`, a real one or a mock, and waits for each call for at
  // most `timeout`.
  ReservationClient(std::unique_ptr<v1::Reservations::StubInterface> stub,
                    std::chrono::milliseconds timeout)
      : stub_(std::move(stub)), timeout_(timeout) {}

  // Reserves the first of `seats` that nobody else has. ALREADY_EXISTS if there
  // is none.
  grpc::Status ReserveAny(const std::vector<std::string>& seats,
                          const std::string& name,
                          v1::Reservation& reservation);

  grpc::Status Confirm(const std::string& seat, const std::string& name,
                       v1::Reservation& reservation);

  // Gets all reservations, or none if the call fails.
  grpc::Status List(std::vector<v1::Reservation>& reservations);

 private:
  void SetDeadline(grpc::ClientContext& context) const {
    context.set_deadline(std::chrono::system_clock::now() + timeout_);
  }

  const std::unique_ptr<v1::Reservations::StubInterface> stub_;
  const std::chrono::milliseconds timeout_;
};

}  // namespace workshop::reservations
