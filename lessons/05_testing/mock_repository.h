// A repository that does what a test says.

#pragma once

#include <gmock/gmock.h>

#include <optional>
#include <string>

#include "lessons/05_testing/clock.h"
#include "lessons/05_testing/repository.h"
#include "workshop/reservations/v1/reservations.pb.h"

namespace workshop::reservations {

class MockRepository : public Repository {
 public:
  MOCK_METHOD(v1::Reservation, Add, (const v1::Reservation&, Clock::Time),
              (override));
  MOCK_METHOD(std::optional<v1::Reservation>, Confirm,
              (const std::string&, const std::string&, Clock::Time),
              (override));
  MOCK_METHOD(std::optional<v1::Reservation>, Next,
              (const std::string&, Clock::Time), (override));
};

}  // namespace workshop::reservations
