#pragma once

#include <chrono>
#include <string>

#include "dlmfs/remove_lock.hpp"
#include "guard/host/vm.hpp"
#include "guard/lock/acquire_result.hpp"
#include "guard/lock/cluster_access.hpp"

namespace guard {

/// Returns the one line a user sees when a start is denied: which VM, the reason, what to do.
[[nodiscard]] std::string denial(const std::string& vm_name, const std::string& denial_reason);
[[nodiscard]] std::string denial(const Vm& vm, const std::string& denial_reason);

/// Returns why the lock was not granted, and what to do. `waited`: how long the hook has waited.
[[nodiscard]] std::string denial_reason(const Vm& vm, const AcquireResult& result,
                                        std::chrono::milliseconds waited);
/// The same for an incoming migration.
[[nodiscard]] std::string migration_denial_reason(const ClusterAccess& cluster, const Vm& vm,
                                                  const AcquireResult& result,
                                                  std::chrono::milliseconds waited);

/// Returns why the lock was not unlocked.
[[nodiscard]] std::string unlock_failure(const UnlockResult& result,
                                         std::chrono::milliseconds waited);
/// Returns what is left of the VM's last run, and when it can start.
[[nodiscard]] std::string last_run_text(const LastRun& last_run);
/// Returns why the file of a VM's lock was not removed; empty for `done`.
[[nodiscard]] std::string why_file_stays(const ClusterAccess& cluster, const Vm& vm,
                                         dlmfs::Removal removal);

/// Returns the holder's name, or "unknown".
[[nodiscard]] std::string holder_name(const std::optional<Holder>& holder);

}  // namespace guard
