#pragma once

#include "guard/command/check/finding.hpp"
#include "guard/command/check/places.hpp"
#include "guard/last_call.hpp"

namespace guard::command {

/// That the hook is where libvirt runs it, is root's alone to write, and of this very build.
[[nodiscard]] Finding check_hook(const Places& places);

/// That nothing else is run before the hook: it could start a VM unguarded, or fail.
[[nodiscard]] Finding check_order(const Places& places);

/// That libvirt's daemon has noticed the hook, which it looks for when it starts, and when it is
/// told to reload. It has if it was started since the hook was put there, or has run it. That it
/// has reloaded nobody can see: so a reload, which would do, is not taken for granted here, since
/// a daemon that has not noticed starts every VM unguarded.
[[nodiscard]] Finding check_noticed(const Places& places, const std::optional<LastCall>& last);

}  // namespace guard::command
