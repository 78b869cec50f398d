#pragma once

#include <chrono>
#include <string>

#include "dlmfs/remove_lock.hpp"
#include "guard/host/vm.hpp"
#include "guard/lock/abandonable_call.hpp"
#include "guard/lock/world.hpp"
#include "guard/system/time_text.hpp"

namespace guard {

/// The one line a user sees: which VM, what stands in the way, what to do.
[[nodiscard]] std::string denial(const std::string& vm_name, const std::string& denial_reason);
[[nodiscard]] std::string denial(const Vm& vm, const std::string& denial_reason);

/// What stands in the way of a start, and what to do about it. `waited` is how long the cluster
/// had.
[[nodiscard]] std::string denial_reason(const Vm& vm, const Answer& answer,
                                        std::chrono::milliseconds waited);

/// The same for an incoming live migration.
[[nodiscard]] std::string migration_denial_reason(const World& world, const Vm& vm,
                                                  const Answer& answer);

/// Why the file of a VM's lock stays on this host, and what to do.
[[nodiscard]] std::string why_file_stays(const World& world, const Vm& vm, dlmfs::Removal removal);

/// The holder's name for a log line.
[[nodiscard]] std::string holder_name(const Answer& answer);

}  // namespace guard
