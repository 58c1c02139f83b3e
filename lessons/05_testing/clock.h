// Where the time comes from.

#pragma once

#include <chrono>

namespace workshop::reservations {

class Clock {
 public:
  using Time = std::chrono::system_clock::time_point;

  virtual ~Clock() = default;

  virtual Time Now() const = 0;
};

class SystemClock final : public Clock {
 public:
  Time Now() const override { return std::chrono::system_clock::now(); }
};

}  // namespace workshop::reservations
