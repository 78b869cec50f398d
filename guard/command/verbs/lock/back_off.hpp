#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <random>

namespace guard::command {

/// The waiting times between two tries for a lock. The limit is 50 ms at first, doubles each time,
/// and is at most 1 s. Each time is a random part of it, between half and all, so that hosts that
/// began together do not always try at the same time.
class BackOff {
 public:
  using Chance = std::function<double()>;  ///< returns a random number from 0 to 1

  BackOff()
      : chance_([engine = std::minstd_rand(std::random_device{}())]() mutable {
          return std::uniform_real_distribution(0.0, 1.0)(engine);
        }) {}
  explicit BackOff(Chance chance) : chance_(std::move(chance)) {}

  /// Returns how long to wait before the next try.
  [[nodiscard]] std::chrono::milliseconds next() {
    constexpr std::chrono::milliseconds limit{1000};
    auto part = std::chrono::duration<double, std::milli>(longest_) * (1 + chance_()) / 2;
    longest_ = std::min(2 * longest_, limit);
    return std::chrono::round<std::chrono::milliseconds>(part);
  }

 private:
  Chance chance_;
  std::chrono::milliseconds longest_{50};
};

}  // namespace guard::command
