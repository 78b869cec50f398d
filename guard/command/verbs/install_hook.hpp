#pragma once

#include "guard/command/hook_set_up.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

/// Installs the hook where libvirt runs it. The hook is a regular file, since AppArmor does not let
/// the daemon follow a symlink out of that directory. It is put there by a rename: while a hook is
/// missing, libvirt lets starts through. An earlier hook of start-guard is replaced, a hook of
/// anybody else never. If hooks/qemu is the admin's hook, start-guard's hook goes to hooks/qemu.d,
/// with a name that sorts before the others. Hooks of start-guard that are already installed for
/// other drivers are replaced, too. Then each daemon that has not loaded the hook is told to look
/// for it. A second call changes nothing.
[[nodiscard]] Outcome install_hook(const HookSetUp& set_up);

}  // namespace guard::command
