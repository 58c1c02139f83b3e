// Wires the service to what it is given in production: a repository, the
// system's clock, and a log.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <optional>
#include <string>
#include <syncstream>

#include "lessons/05_testing/call_log.h"
#include "lessons/05_testing/clock.h"
#include "lessons/05_testing/memory_repository.h"
#include "lessons/05_testing/reservations_service.h"
#include "lessons/common/program.h"

namespace {

using workshop::reservations::CallLog;
using workshop::reservations::MemoryRepository;
using workshop::reservations::ReservationsService;
using workshop::reservations::SystemClock;

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  int hold = 60;
  CLI::App app("Holds seats until they are confirmed.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  app.add_option("--hold", hold, "seconds that a seat is held")
      ->check(CLI::Range(0, 86'400));
  if (const std::optional<int> status = workshop::ParseFlags(app, argc, argv)) {
    return *status;
  }

  MemoryRepository repository;
  const SystemClock clock;
  ReservationsService service(repository, clock, std::chrono::seconds(hold));
  grpc::ServerBuilder builder;
  builder.RegisterService(&service);
  CallLog::AddTo(builder, [](const std::string& line) {
    std::osyncstream(std::clog) << line << std::endl;
  });
  return workshop::ServeUntilStopped(builder, address);
}
