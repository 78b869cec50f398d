#pragma once

#include <chrono>
#include <functional>

namespace guard::command {

/// The waiting times between two tries for a lock. The limit is 50 ms at first, doubles each time,
/// and is at most 1 s. Each time is a random part of it, between half and all, so that hosts that
/// began together do not always try at the same time.
class BackOff {
 public:
  using Chance = std::function<double()>;  ///< returns a random number from 0 to 1

  BackOff();
  explicit BackOff(Chance chance) : chance_(std::move(chance)) {}
  /// Returns how long to wait before the next try.
  [[nodiscard]] std::chrono::milliseconds next();

 private:
  Chance chance_;
  std::chrono::milliseconds longest_{50};
};

}  // namespace guard::command
