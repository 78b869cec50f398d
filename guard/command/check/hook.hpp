#pragma once

#include "guard/command/check/daemon.hpp"
#include "guard/command/check/finding.hpp"

namespace guard::command {

/// That the hook is where libvirt runs it, is root's alone to write, and of this very build.
[[nodiscard]] Finding check_hook(const Places& places);

/// That nothing else is run before the hook: it could start a VM unguarded, or fail.
[[nodiscard]] Finding check_order(const Places& places);

/// That libvirt's daemon has noticed the hook: one that has not starts every VM unguarded. That a
/// daemon has been reloaded nobody can see, unless it was `start-guard install-hook` that had it
/// done.
[[nodiscard]] Finding check_noticed(const Places& places, const DaemonMarks& marks);

}  // namespace guard::command
