#pragma once

#include <algorithm>
#include <chrono>

namespace guard {

/// The moment by which the hook must be done: libvirt has no time limit for a hook, and every
/// client that looks at the VM hangs meanwhile.
class Deadline {
 public:
  explicit Deadline(std::chrono::milliseconds from_now)
      : moment_(std::chrono::steady_clock::now() + from_now) {}

  /// Never negative.
  [[nodiscard]] std::chrono::milliseconds left() const {
    auto left =
        std::chrono::ceil<std::chrono::milliseconds>(moment_ - std::chrono::steady_clock::now());
    return std::max(left, std::chrono::milliseconds::zero());
  }

 private:
  std::chrono::steady_clock::time_point moment_;
};

}  // namespace guard
