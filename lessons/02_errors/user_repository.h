// Where the users are: an interface, so that the service does not know.

#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>

#include "lessons/02_errors/logger.h"
#include "workshop/users/v1/users.pb.h"

namespace workshop::users {

// May be used by many threads at once.
class UserRepository {
 public:
  virtual ~UserRepository() = default;

  // Looks for a user; returns nothing if there is none with this id. A lookup
  // that takes long asks `wanted` before each step, and returns nothing either
  // once nobody wants its result any more.
  // Throws std::runtime_error if it cannot look. What that says is for the log
  // alone: it may name hosts, tables and accounts.
  virtual std::optional<v1::User> Find(
      std::int64_t id, const std::function<bool()>& wanted) const = 0;
};

// Three users in memory.
class UsersInMemory final : public UserRepository {
 public:
  UsersInMemory() {
    Add(1, "Ada Lovelace", "ada@example.com");
    Add(2, "Grace Hopper", "grace@example.com");
    Add(3, "Barbara Liskov", "barbara@example.com");
  }

  std::optional<v1::User> Find(std::int64_t id,
                               const std::function<bool()>&) const override {
    const auto user = users_.find(id);
    if (user == users_.end()) return std::nullopt;
    return user->second;
  }

 private:
  void Add(std::int64_t id, const std::string& name, const std::string& email) {
    v1::User& user = users_[id];
    user.set_id(id);
    user.set_name(name);
    user.set_email(email);
  }

  std::map<std::int64_t, v1::User> users_;
};

// The same users on a slow disk, in many pages and without an index.
class UsersOnSlowDisk final : public UserRepository {
 public:
  static constexpr int kPages = 25;

  UsersOnSlowDisk(std::chrono::milliseconds page_time, Logger& logger)
      : page_time_(page_time), logger_(logger) {}

  std::optional<v1::User> Find(
      std::int64_t id, const std::function<bool()>& wanted) const override {
    const std::string lookup = "lookup of user " + std::to_string(id);
    logger_.Info(lookup + ": started");
    for (int page = 0; page < kPages; ++page) {
      if (!wanted()) {
        logger_.Info(lookup + ": no longer wanted, stopped after " +
                     std::to_string(page) + " of " + std::to_string(kPages) +
                     " pages");
        return std::nullopt;
      }
      std::this_thread::sleep_for(page_time_);  // the disk at work
    }
    logger_.Info(lookup + ": read all " + std::to_string(kPages) + " pages");
    return users_.Find(id, wanted);
  }

 private:
  const UsersInMemory users_;
  const std::chrono::milliseconds page_time_;
  Logger& logger_;
};

// A database that is down.
class UsersOutOfReach final : public UserRepository {
 public:
  std::optional<v1::User> Find(std::int64_t,
                               const std::function<bool()>&) const override {
    throw std::runtime_error(
        "users-db-3.internal:5432: password of account \"workshop\" expired");
  }
};

}  // namespace workshop::users
