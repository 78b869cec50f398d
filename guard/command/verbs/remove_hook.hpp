#pragma once

#include <string>
#include <vector>

#include "guard/command/hook_set_up.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

/// The VMs that this host holds the lock of and that run, by name. Without the hook nobody gives
/// their locks back when they end.
[[nodiscard]] std::vector<std::string> guarded_vms(const HookSetUp& set_up);

/// Whether a hook of start-guard's is there, of any driver. Where it has gone already, and the VMs
/// run on, there is nothing to ask.
[[nodiscard]] bool hook_is_there(const HookSetUp& set_up);

/// What it comes to to remove the hook while these run.
[[nodiscard]] std::string removal_risk(const std::vector<std::string>& vms);

/// Removes every hook of start-guard's, of all drivers, wherever `install_hook` may have put it,
/// and nothing else.
[[nodiscard]] Outcome remove_hook(const HookSetUp& set_up);

}  // namespace guard::command
