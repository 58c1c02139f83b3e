// Where the time comes from.

#pragma once

#include <chrono>

namespace workshop::transfers {

class Clock {
 public:
  using Time = std::chrono::system_clock::time_point;

  virtual ~Clock() = default;

  // May be called at any time and any number of times.
  virtual Time Now() const = 0;
};

}  // namespace workshop::transfers
