#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

#include "guard/command/checks/hook_files.hpp"
#include "guard/host/hook_seen.hpp"

namespace guard::command {

/// libvirt's system daemon, or the one of a driver.
struct Daemon {
  std::string name;
  pid_t pid = 0;
  std::chrono::sys_time<std::chrono::nanoseconds> started;  ///< to a hundredth of a second, early
};

/// Those that run; a host has one, or none while nobody asks libvirt for anything.
[[nodiscard]] std::vector<Daemon> libvirt_daemons(const SystemPaths& paths,
                                                  std::string_view driver = "qemu");

/// What this host remembers of daemons and the hook.
struct HookSeenByDaemon {
  std::optional<HookSeen> called = std::nullopt, told = std::nullopt;

  [[nodiscard]] static HookSeenByDaemon read(const StateDirectory& directory);
};

/// Why the daemon is known to have noticed the hook, for which it looks when it starts, and when it
/// gets SIGHUP; empty: it is not known to have.
[[nodiscard]] std::string why_hook_loaded(const Daemon& daemon, const HookFile& hook,
                                          const HookSeenByDaemon& marks);

/// Has the daemon look for hooks again, by SIGHUP, as its unit's reload does. Its VMs run on.
/// False: it has gone, or is not yet, or no longer, at a point where it catches that signal.
[[nodiscard]] bool reload_daemon(const Daemon& daemon);

}  // namespace guard::command
