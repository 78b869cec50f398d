#pragma once

#include <algorithm>
#include <chrono>

namespace guard {

/// The time at which an operation must end. libvirt has no time limit for a hook, and while a hook
/// runs, every client that queries the VM hangs.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds from_now)
      : moment_(std::chrono::steady_clock::now() + from_now) {}

  /// Returns a deadline that does not pass.
  [[nodiscard]] static Deadline never() { return Deadline(std::chrono::years(100)); }

  /// Returns the time left, at least 0.
  [[nodiscard]] std::chrono::milliseconds left() const {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(moment_ - std::chrono::steady_clock::now());
    return std::max(left, std::chrono::milliseconds::zero());
  }

 private:
  std::chrono::steady_clock::time_point moment_;
};

}  // namespace guard
