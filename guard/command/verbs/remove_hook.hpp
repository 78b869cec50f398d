#pragma once

#include <string>
#include <vector>

#include "guard/command/hook_set_up.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

/// Returns the names of the VMs that have a record on this host and may still run. Nothing unlocks
/// their locks when they end if the hook is gone. A VM of another driver than QEMU counts as
/// running, as does a VM whose QEMU cannot be seen. If a record cannot be read, its UUID is
/// returned.
[[nodiscard]] std::vector<std::string> guarded_vms(const HookSetUp& set_up);

/// Returns whether a hook of start-guard is installed for any driver. If it is gone already, the
/// operator need not be asked, even if VMs run.
[[nodiscard]] bool hook_is_there(const HookSetUp& set_up);

/// Describes the risk of removing the hook while these VMs run.
[[nodiscard]] std::string removal_risk(const std::vector<std::string>& vms);

/// Removes every hook of start-guard, for all drivers, from every place where `install_hook` may
/// have put it. Removes nothing else.
[[nodiscard]] Outcome remove_hook(const HookSetUp& set_up);

}  // namespace guard::command
