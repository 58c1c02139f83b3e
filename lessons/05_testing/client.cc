// Reserves, confirms and lists seats.

#include <google/protobuf/util/time_util.h>
#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "lessons/05_testing/reservation_client.h"
#include "lessons/common/program.h"
#include "workshop/reservations/v1/reservations.grpc.pb.h"

namespace {

using google::protobuf::util::TimeUtil;
using workshop::reservations::ReservationClient;
using workshop::reservations::v1::Reservation;
using workshop::reservations::v1::Reservations;

void Print(const Reservation& reservation) {
  const std::string state =
      reservation.has_expire_time()
          ? "held until " + TimeUtil::ToString(reservation.expire_time())
          : "confirmed";
  std::cout << reservation.seat() << "  " << reservation.name() << "  " << state
            << "\n";
}

grpc::Status Reserve(ReservationClient& client, const std::string& name,
                     const std::vector<std::string>& seats) {
  Reservation reservation;
  grpc::Status status = client.ReserveAny(seats, name, reservation);
  if (status.ok()) Print(reservation);
  return status;
}

grpc::Status Confirm(ReservationClient& client, const std::string& name,
                     const std::string& seat) {
  Reservation reservation;
  grpc::Status status = client.Confirm(seat, name, reservation);
  if (status.ok()) Print(reservation);
  return status;
}

grpc::Status List(ReservationClient& client) {
  std::vector<Reservation> reservations;
  grpc::Status status = client.List(reservations);
  for (const Reservation& reservation : reservations) Print(reservation);
  return status;
}

// Everything once: two people want the same seat.
grpc::Status Demonstrate(ReservationClient& client) {
  grpc::Status status = Reserve(client, "Ada", {"12A", "12B"});
  if (status.ok()) status = Reserve(client, "Grace", {"12A", "12B"});
  if (status.ok()) status = Confirm(client, "Ada", "12A");
  if (!status.ok()) return status;
  std::cout << "all reservations:\n";
  return List(client);
}

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  int timeout = 5;
  std::string name, seat;
  std::vector<std::string> seats;
  CLI::App app("Reserves, confirms and lists seats; alone: all of it once.");
  app.add_option("--address", address, "where the server listens");
  app.add_option("--timeout", timeout, "seconds to wait for each call")
      ->check(CLI::Range(1, 86'400));
  app.require_subcommand(0, 1);
  app.fallthrough();  // flags may stand behind a command too
  CLI::App* const reserve =
      app.add_subcommand("reserve", "reserves the first seat that is free");
  reserve->add_option("name", name)->required();
  reserve->add_option("seats", seats)->required();
  CLI::App* const confirm = app.add_subcommand("confirm", "confirms a seat");
  confirm->add_option("name", name)->required();
  confirm->add_option("seat", seat)->required();
  CLI::App* const list = app.add_subcommand("list", "lists all reservations");
  if (const std::optional<int> status = workshop::ParseFlags(app, argc, argv)) {
    return *status;
  }

  ReservationClient client(Reservations::NewStub(grpc::CreateChannel(
                               address, grpc::InsecureChannelCredentials())),
                           std::chrono::seconds(timeout));
  const grpc::Status status = *reserve   ? Reserve(client, name, seats)
                              : *confirm ? Confirm(client, name, seat)
                              : *list    ? List(client)
                                         : Demonstrate(client);
  if (!status.ok()) {
    std::cerr << workshop::CodeName(status.error_code()) + ": " +
                     status.error_message() + "\n";
    return workshop::kFailed;
  }
  return workshop::kDone;
}
