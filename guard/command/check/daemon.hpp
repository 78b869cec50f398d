#pragma once

#include <chrono>
#include <string>
#include <sys/types.h>
#include <vector>

#include "guard/command/check/hook_files.hpp"
#include "guard/daemon_mark.hpp"

namespace guard::command {

/// libvirt's system daemon, or the one of a driver.
struct Daemon {
  std::string name;
  pid_t pid = 0;
  std::chrono::sys_time<std::chrono::nanoseconds> started;  ///< to a hundredth of a second, early
};

/// Those that run; a host has one, or none while nobody asks libvirt for anything.
[[nodiscard]] std::vector<Daemon> libvirts_daemons(const Places& places,
                                                   std::string_view driver = "qemu");

/// What this host remembers of daemons and the hook.
struct DaemonMarks {
  std::optional<DaemonMark> called = std::nullopt, told = std::nullopt;

  [[nodiscard]] static DaemonMarks read(const StateDirectory& directory);
};

/// Why the daemon is known to have noticed the hook, for which it looks when it starts, and when it
/// gets SIGHUP; empty: it is not known to have.
[[nodiscard]] std::string why_noticed(const Daemon& daemon, const HookFile& hook,
                                      const DaemonMarks& marks);

/// Has the daemon look for hooks again, by SIGHUP, as its unit's reload does. Its VMs run on.
/// False: it has gone, or is not yet, or no longer, at a point where it catches that signal.
[[nodiscard]] bool tell_to_look_again(const Daemon& daemon);

}  // namespace guard::command
