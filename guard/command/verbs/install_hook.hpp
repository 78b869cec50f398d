#pragma once

#include "guard/command/hook_set_up.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

/// Puts the hook where libvirt runs it, as a file of its own (AppArmor lets the daemon follow no
/// symlink out of there), by a rename: while a hook is missing, libvirt lets starts through. An
/// earlier one of start-guard's is replaced; nobody else's ever is. Where there is one of the
/// admin's at hooks/qemu, ours goes to hooks/qemu.d, with a name that comes before the others'.
/// What is there already for other drivers is renewed with it. Then each daemon that has not
/// noticed the hook is told to look for it. Done twice, the second time changes nothing.
[[nodiscard]] Outcome install_hook(const HookSetUp& set_up);

}  // namespace guard::command
