// A server whose statuses can be relied on. What it is made of is put together
// here: the service is handed its repository and its logger.

#include <grpcpp/grpcpp.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "lessons/02_errors/careless_service.h"
#include "lessons/02_errors/logger.h"
#include "lessons/02_errors/user_repository.h"
#include "lessons/02_errors/users_service.h"
#include "lessons/common/program.h"

namespace {

using std::chrono::milliseconds;
using workshop::users::CarelessCallbackService;
using workshop::users::CarelessService;
using workshop::users::Logger;
using workshop::users::StderrLogger;
using workshop::users::UserRepository;
using workshop::users::UsersInMemory;
using workshop::users::UsersOnSlowDisk;
using workshop::users::UsersOutOfReach;
using workshop::users::UsersService;

std::unique_ptr<UserRepository> NewRepository(const std::string& kind,
                                              milliseconds page_time,
                                              Logger& logger) {
  if (kind == "down") return std::make_unique<UsersOutOfReach>();
  if (kind == "slow") {
    return std::make_unique<UsersOnSlowDisk>(page_time, logger);
  }
  return std::make_unique<UsersInMemory>();
}

std::unique_ptr<grpc::Service> NewService(const std::string& kind,
                                          const UserRepository& users,
                                          Logger& logger,
                                          UsersService::Limits limits) {
  if (kind == "careless") return std::make_unique<CarelessService>(users);
  if (kind == "careless-callback") {
    return std::make_unique<CarelessCallbackService>(users);
  }
  return std::make_unique<UsersService>(users, logger, limits);
}

}  // namespace

int main(int argc, char** argv) {
  std::string address = "127.0.0.1:50051";
  std::string database = "fast";
  std::string kind = "careful";
  milliseconds page_time{1000};
  UsersService::Limits limits;
  CLI::App app("Knows the users, and says what is wrong if it cannot help.");
  app.add_option("--address", address, "where to listen (port 0: any free)");
  app.add_option("--database", database,
                 "how the database does: fast|slow|down")
      ->check(CLI::IsMember({"fast", "slow", "down"}));
  workshop::AddSeconds(app, "--page-time", page_time,
                       "what a slow database needs for a page");
  workshop::AddSeconds(app, "--limit", limits.lookup,
                       "how long a lookup may take");
  app.add_option("--max-violations", limits.violations,
                 "how many wrong fields a status names")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--service", kind,
                 "how it is written: careful|careless|careless-callback")
      ->check(CLI::IsMember({"careful", "careless", "careless-callback"}));
  if (const auto exit = workshop::ParseFlags(app, argc, argv)) return *exit;

  StderrLogger logger;
  const std::unique_ptr<UserRepository> users =
      NewRepository(database, page_time, logger);
  const std::unique_ptr<grpc::Service> service =
      NewService(kind, *users, logger, limits);
  grpc::ServerBuilder builder;
  builder.RegisterService(service.get());
  return workshop::ServeUntilStopped(builder, address);
}
