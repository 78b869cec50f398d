#pragma once

#include <chrono>
#include <optional>

#include "guard/command/verbs/lock/signals.hpp"
#include "guard/system/deadline.hpp"

namespace guard::command {

/// A wait until a time has passed (or without limit) or until the first signal, whichever comes
/// first. The time counts from construction.
class InterruptibleWait {
 public:
  InterruptibleWait(std::optional<std::chrono::milliseconds> time, const Signals& signals)
      : signals_(signals) {
    if (time) deadline_.emplace(*time);
  }

  /// Why a wait ended. `signal`: its number, for `Why::signal`.
  struct Over {
    enum class Why { ready, paused, time_up, signal };
    Why why;
    int signal = 0;
  };
  /// Blocks until `fd` is readable. Never returns `paused`.
  [[nodiscard]] Over wait_for(int fd) const;
  /// Blocks for `time`. Never returns `ready`.
  [[nodiscard]] Over pause(std::chrono::milliseconds time) const;

 private:
  [[nodiscard]] Over wait(int fd, std::optional<std::chrono::milliseconds> pause) const;

  const Signals& signals_;
  std::optional<Deadline> deadline_;
};

}  // namespace guard::command
