// Keeps the reservations in memory.

#pragma once

#include <google/protobuf/util/time_util.h>

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "lessons/05_testing/clock.h"
#include "lessons/05_testing/repository.h"
#include "workshop/reservations/v1/reservations.pb.h"

namespace workshop::reservations {

class MemoryRepository final : public Repository {
 public:
  v1::Reservation Add(const v1::Reservation& reservation,
                      Clock::Time now) override {
    const std::lock_guard lock(mutex_);
    v1::Reservation& kept = reservations_[reservation.seat()];
    if (!Stands(kept, now)) kept = reservation;
    return kept;
  }

  std::optional<v1::Reservation> Confirm(const std::string& seat,
                                         const std::string& name,
                                         Clock::Time now) override {
    const std::lock_guard lock(mutex_);
    const auto found = reservations_.find(seat);
    if (found == reservations_.end() || !Stands(found->second, now) ||
        found->second.name() != name) {
      return std::nullopt;
    }
    found->second.clear_expire_time();
    return found->second;
  }

  std::optional<v1::Reservation> Next(const std::string& seat,
                                      Clock::Time now) override {
    const std::lock_guard lock(mutex_);
    auto next = reservations_.upper_bound(seat);
    while (next != reservations_.end() && !Stands(next->second, now)) ++next;
    if (next == reservations_.end()) return std::nullopt;
    return next->second;
  }

 private:
  // An empty reservation, as the map makes it, has never stood.
  static bool Stands(const v1::Reservation& reservation, Clock::Time now) {
    using google::protobuf::util::TimeUtil;
    return !reservation.seat().empty() &&
           (!reservation.has_expire_time() ||
            TimeUtil::TimestampToNanoseconds(reservation.expire_time()) >
                std::chrono::nanoseconds(now.time_since_epoch()).count());
  }

  std::mutex mutex_;
  std::map<std::string, v1::Reservation> reservations_;  // guarded by mutex_
};

}  // namespace workshop::reservations
