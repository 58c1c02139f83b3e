#include "lessons/05_testing/reservation_client.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace workshop::reservations {

grpc::Status ReservationClient::ReserveAny(
    const std::vector<std::string>& seats, const std::string& name,
    v1::Reservation& reservation) {
  v1::ReserveRequest request;
  request.set_name(name);
  for (const std::string& seat : seats) {
    request.set_seat(seat);
    v1::ReserveResponse response;
    grpc::ClientContext context;  // a new one for each call
    SetDeadline(context);
    grpc::Status status = stub_->Reserve(&context, request, &response);
    if (status.error_code() == grpc::StatusCode::ALREADY_EXISTS) continue;
    if (status.ok()) reservation = response.reservation();
    return status;
  }
  return {grpc::StatusCode::ALREADY_EXISTS, "all these seats are taken"};
}

grpc::Status ReservationClient::Confirm(const std::string& seat,
                                        const std::string& name,
                                        v1::Reservation& reservation) {
  v1::ConfirmRequest request;
  request.set_seat(seat);
  request.set_name(name);
  v1::ConfirmResponse response;
  grpc::ClientContext context;
  SetDeadline(context);
  grpc::Status status = stub_->Confirm(&context, request, &response);
  if (status.ok()) reservation = response.reservation();
  return status;
}

grpc::Status ReservationClient::List(
    std::vector<v1::Reservation>& reservations) {
  grpc::ClientContext context;
  SetDeadline(context);
  const std::unique_ptr<grpc::ClientReaderInterface<v1::ListResponse>> reader =
      stub_->List(&context, v1::ListRequest());
  std::vector<v1::Reservation> received;
  v1::ListResponse response;
  while (reader->Read(&response)) received.push_back(response.reservation());
  // Read() returns false after the last message and after a failure alike.
  if (grpc::Status status = reader->Finish(); !status.ok()) return status;
  reservations = std::move(received);
  return grpc::Status::OK;
}

}  // namespace workshop::reservations
