#pragma once

#include <optional>

#include "guard/lock/bell.hpp"
#include "guard/lock/context.hpp"

namespace guard {

/// Logs that a VM runs here while another host holds or shares its lock. `action`: what this host
/// does with the VM, "keep" or "kill".
void log_conflict(const Context& context, const Vm& vm, const std::optional<Holder>& holder,
                  const char* action = "keep");

}  // namespace guard
