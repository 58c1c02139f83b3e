#include "lessons/05_testing/reservations_service.h"

#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <optional>
#include <string>

namespace workshop::reservations {
namespace {

using google::protobuf::Timestamp;
using google::protobuf::util::TimeUtil;
using v1::Reservation;

constexpr std::size_t kTicketWidth = 20;  // bytes

Timestamp ToTimestamp(Clock::Time time) {
  return TimeUtil::NanosecondsToTimestamp(
      std::chrono::nanoseconds(time.time_since_epoch()).count());
}

// As much of a name as fits on a ticket.
std::string CutToFit(const std::string& name) {
  if (name.size() <= kTicketWidth) return name;
  std::size_t size = kTicketWidth;
  // In UTF-8, all bytes of a character but its first one are 10xxxxxx.
  while (size > 0 && (name[size] & 0xC0) == 0x80) --size;
  return name.substr(0, size);
}

template <class Request>
grpc::Status Check(const Request& request) {
  if (request.seat().empty()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "seat is empty"};
  }
  if (request.name().empty()) {
    return {grpc::StatusCode::INVALID_ARGUMENT, "name is empty"};
  }
  return grpc::Status::OK;
}

// The cause is for those who run the server, not for those who call it.
grpc::Status StoreFailed(const std::exception& error) {
  std::clog << "the store failed: " << error.what() << std::endl;
  return {grpc::StatusCode::INTERNAL, "the store failed"};
}

}  // namespace

grpc::Status ReservationsService::Reserve(grpc::ServerContext* context,
                                          const v1::ReserveRequest* request,
                                          v1::ReserveResponse* response) {
  if (grpc::Status status = Check(*request); !status.ok()) return status;
  Reservation& reservation = *response->mutable_reservation();
  reservation.set_seat(request->seat());
  reservation.set_name(CutToFit(request->name()));
  const Clock::Time now = clock_.Now();
  *reservation.mutable_expire_time() = ToTimestamp(now + hold_);
  try {
    const Reservation standing = repository_.Add(reservation, now);
    if (standing.name() != reservation.name()) {
      if (standing.has_expire_time()) {
        context->AddTrailingMetadata(
            "held-until", TimeUtil::ToString(standing.expire_time()));
      }
      return {grpc::StatusCode::ALREADY_EXISTS, "seat is taken"};
    }
    reservation = standing;
  } catch (const std::exception& error) {
    return StoreFailed(error);
  }
  return grpc::Status::OK;
}

grpc::Status ReservationsService::Confirm(grpc::ServerContext* context,
                                          const v1::ConfirmRequest* request,
                                          v1::ConfirmResponse* response) {
  if (grpc::Status status = Check(*request); !status.ok()) return status;
  try {
    const std::optional<Reservation> confirmed = repository_.Confirm(
        request->seat(), CutToFit(request->name()), clock_.Now());
    if (!confirmed) {
      return {grpc::StatusCode::NOT_FOUND, "seat is not held under this name"};
    }
    *response->mutable_reservation() = *confirmed;
  } catch (const std::exception& error) {
    return StoreFailed(error);
  }
  return grpc::Status::OK;
}

grpc::Status ReservationsService::List(
    grpc::ServerContext* context, const v1::ListRequest* request,
    grpc::ServerWriter<v1::ListResponse>* writer) {
  return ListTo(*writer);
}

grpc::Status ReservationsService::ListTo(
    grpc::ServerWriterInterface<v1::ListResponse>& writer) {
  try {
    const Clock::Time now = clock_.Now();
    v1::ListResponse response;
    while (const std::optional<Reservation> next =
               repository_.Next(response.reservation().seat(), now)) {
      *response.mutable_reservation() = *next;
      if (!writer.Write(response)) {
        return {grpc::StatusCode::CANCELLED, "nobody listens any more"};
      }
    }
  } catch (const std::exception& error) {
    return StoreFailed(error);
  }
  return grpc::Status::OK;
}

}  // namespace workshop::reservations
