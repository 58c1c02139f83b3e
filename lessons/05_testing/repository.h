// Where the reservations are kept.

#pragma once

#include <optional>
#include <string>

#include "lessons/05_testing/clock.h"
#include "workshop/reservations/v1/reservations.pb.h"

namespace workshop::reservations {

// Every function may be called from several threads at once, is atomic, and
// throws a std::exception if the store does not work. A reservation stands as
// long as it has not expired; one that does not stand is as good as none.
class Repository {
 public:
  virtual ~Repository() = default;

  // Keeps `reservation` unless another one of its seat stands at `now`. Returns
  // the one that stands then.
  virtual v1::Reservation Add(const v1::Reservation& reservation,
                              Clock::Time now) = 0;

  // Confirms the reservation of `seat` under `name` and returns it, or nothing
  // if none stands at `now`.
  virtual std::optional<v1::Reservation> Confirm(const std::string& seat,
                                                 const std::string& name,
                                                 Clock::Time now) = 0;

  // The reservation of the first seat behind `seat`, in order, that stands at
  // `now`. All of them, if `seat` is "" at first and then the last one's seat.
  virtual std::optional<v1::Reservation> Next(const std::string& seat,
                                              Clock::Time now) = 0;
};

}  // namespace workshop::reservations
