// A clock that stands still until a test moves it.

#pragma once

#include <atomic>
#include <chrono>

#include "lessons/05_testing/clock.h"

namespace workshop::reservations {

class FakeClock final : public Clock {
 public:
  Time Now() const override { return now_; }

  // May be called while handlers look at the clock.
  void Advance(std::chrono::milliseconds time) { now_ = now_.load() + time; }

 private:
  std::atomic<Time> now_{Time(std::chrono::hours(500'000))};  // in 2027
};

}  // namespace workshop::reservations
