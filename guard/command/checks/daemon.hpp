#pragma once

#include <string>

#include "guard/command/checks/hook_files.hpp"
#include "guard/host/libvirt_daemons.hpp"
#include "guard/state/hook_seen.hpp"

namespace guard::command {

/// Returns the command that starts the daemon of the QEMU driver: on this host libvirtd or
/// virtqemud.
[[nodiscard]] std::string command_to_start_daemon(const SystemPaths& paths);

/// When a daemon last called the hook, and when one was last told to look for hooks again.
struct HookSeenByDaemon {
  std::optional<HookSeen> called = std::nullopt, told = std::nullopt;

  [[nodiscard]] static HookSeenByDaemon read(const StateDirectory& directory);
};

/// Returns why the daemon is known to have loaded the hook, or "" if that is not known. The daemon
/// looks for hooks when it starts, and when it gets SIGHUP.
[[nodiscard]] std::string why_hook_loaded(const Daemon& daemon, const HookFile& hook,
                                          const HookSeenByDaemon& marks);

/// Sends SIGHUP to the daemon, as its unit's reload does, so that it looks for hooks again. Its VMs
/// continue to run. Returns false if the daemon has exited, or does not catch SIGHUP now because it
/// is starting or exiting.
[[nodiscard]] bool reload_daemon(const Daemon& daemon);

}  // namespace guard::command
