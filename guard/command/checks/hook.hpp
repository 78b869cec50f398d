#pragma once

#include "guard/command/checks/daemon.hpp"
#include "guard/command/checks/finding.hpp"

namespace guard::command {

/// That the hook is where libvirt runs it, is root's alone to write, and of this very build.
[[nodiscard]] Finding check_hook(const SystemPaths& paths);

/// That nothing else is run before the hook: it could start a VM unguarded, or fail.
[[nodiscard]] Finding check_order(const SystemPaths& paths);

/// That libvirt's daemon has noticed the hook: one that has not starts every VM unguarded. That a
/// daemon has been reloaded nobody can see, unless it was `start-guard install-hook` that had it
/// done.
[[nodiscard]] Finding check_hook_loaded(const SystemPaths& paths, const HookSeenByDaemon& marks);

}  // namespace guard::command
