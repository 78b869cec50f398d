#pragma once

#include <chrono>
#include <optional>
#include <sys/types.h>

#include "guard/host/state_directory.hpp"

namespace guard {

/// Something that shows that a daemon of libvirt's knows of the hook, and when it was. A daemon
/// that has not noticed the hook starts VMs unguarded, and says nothing: `start-guard check` looks
/// here. One system call, for it is made at each operation: the file is empty, and its access time
/// is the daemon's pid, in seconds.
struct HookSeen {
  pid_t daemon = 0;
  std::chrono::sys_time<std::chrono::nanoseconds> time;

  /// As of now.
  static void note(const StateDirectory& directory, const char* file, pid_t daemon);
  /// Nothing: none since boot.
  [[nodiscard]] static std::optional<HookSeen> read(const StateDirectory& directory,
                                                    const char* file);
};

inline constexpr const char* hook_called_file = "hook.called";  ///< the daemon has called the hook
inline constexpr const char* hook_reloaded_file =
    "hook.told";  ///< it was told to look for hooks again

}  // namespace guard
