#pragma once

#include <chrono>
#include <optional>
#include <sys/types.h>

#include "guard/state/state_directory.hpp"

namespace guard {

/// Evidence that a libvirt daemon has loaded the hook, and its time. A daemon that has not loaded
/// the hook starts VMs unguarded and logs nothing, so `start-guard check` reads this evidence.
/// The hook writes it at each operation, so writing must cost only one system call: the file is
/// empty, st_mtime is the time, and the daemon's pid is stored in st_atime, in seconds.
struct HookSeen {
  pid_t daemon = 0;
  std::chrono::sys_time<std::chrono::nanoseconds> time;

  /// Writes the evidence for `daemon` with the current time.
  static void note(const StateDirectory& directory, const char* file, pid_t daemon);
  /// Returns the evidence, or nullopt if there is none since boot.
  [[nodiscard]] static std::optional<HookSeen> read(const StateDirectory& directory,
                                                    const char* file);
};

inline constexpr const char* hook_called_file = "hook.called";  ///< the daemon has called the hook
inline constexpr const char* hook_reloaded_file =
    "hook.reloaded";  ///< the daemon was told to reload its hooks

}  // namespace guard
