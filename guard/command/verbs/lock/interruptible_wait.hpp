#pragma once

#include <chrono>
#include <optional>

#include "guard/command/verbs/lock/signals.hpp"
#include "guard/system/deadline.hpp"

namespace guard::command {

/// How long somebody waits: for a given time or for ever, and until the first signal.
class InterruptibleWait {
 public:
  InterruptibleWait(std::optional<std::chrono::milliseconds> time, const Signals& signals)
      : signals_(signals) {
    if (time) deadline_.emplace(*time);
  }

  struct Over {
    enum class Why { ready, paused, time_up, signal };
    Why why;
    int signal = 0;
  };
  /// Until `fd` is readable, never `paused`.
  [[nodiscard]] Over wait_for(int fd) const;
  /// For `time`, never `ready`.
  [[nodiscard]] Over pause(std::chrono::milliseconds time) const;

 private:
  [[nodiscard]] Over wait(int fd, std::optional<std::chrono::milliseconds> pause) const;

  const Signals& signals_;
  std::optional<Deadline> deadline_;
};

}  // namespace guard::command
