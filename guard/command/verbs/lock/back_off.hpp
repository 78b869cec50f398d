#pragma once

#include <chrono>
#include <functional>

namespace guard::command {

/// How long to wait between two tries for a lock: 50 ms at first, each time twice as long, 1 s at
/// the most; of that a part between half and all, by chance, so that hosts that began together
/// don't go on asking together.
class BackOff {
 public:
  using Chance = std::function<double()>;  ///< from 0 to 1

  BackOff();
  explicit BackOff(Chance chance) : chance_(std::move(chance)) {}
  [[nodiscard]] std::chrono::milliseconds next();

 private:
  Chance chance_;
  std::chrono::milliseconds longest_{50};
};

}  // namespace guard::command
