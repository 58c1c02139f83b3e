// A clock that stands still until a test moves it.

#pragma once

#include <atomic>
#include <chrono>

#include "exercises/05_write_the_tests/clock.h"

namespace workshop::transfers {

class FakeClock final : public Clock {
 public:
  Time Now() const override { return now_; }

  // Both may be called while handlers look at the clock.
  void Set(Time time) { now_ = time; }
  void Advance(std::chrono::nanoseconds time) {
    now_ = now_.load() + std::chrono::duration_cast<Time::duration>(time);
  }

 private:
  // Noon of 15 January 2027, UTC.
  std::atomic<Time> now_{Time(std::chrono::seconds(1'800'014'400))};
};

}  // namespace workshop::transfers
