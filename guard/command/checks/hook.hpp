#pragma once

#include "guard/command/checks/daemon.hpp"
#include "guard/command/checks/finding.hpp"

namespace guard::command {

/// Checks that the hook is where libvirt runs it, that only root can write it, and that it is of
/// the same build as this program.
[[nodiscard]] Finding check_hook(const SystemPaths& paths);

/// Checks that libvirt runs no other hook before this one: the other hook could start a VM
/// unguarded, or fail.
[[nodiscard]] Finding check_order(const SystemPaths& paths);

/// Checks that libvirt's daemon has loaded the hook: otherwise it starts every VM unguarded. A
/// reload of the daemon cannot be seen, unless `start-guard install-hook` caused it.
[[nodiscard]] Finding check_hook_loaded(const SystemPaths& paths, const HookSeenByDaemon& marks);

}  // namespace guard::command
