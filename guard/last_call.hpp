#pragma once

#include <chrono>
#include <optional>
#include <sys/types.h>

#include "guard/state_directory.hpp"

namespace guard {

/// That libvirt's daemon has called the hook. A daemon that has not noticed the hook starts VMs
/// unguarded, and says nothing: `start-guard check` looks here.
struct LastCall {
  static constexpr const char* file = "hook.called";

  pid_t daemon = 0;  ///< who made it: the hook's parent
  std::chrono::sys_time<std::chrono::nanoseconds> time;

  /// Of this very call. One system call, for it is made at each operation: the file is empty, and
  /// its access time is the daemon's pid, in seconds.
  static void note(const StateDirectory& directory, pid_t daemon);
  /// Nothing: none since boot.
  [[nodiscard]] static std::optional<LastCall> read(const StateDirectory& directory);
};

}  // namespace guard
