#pragma once

#include <chrono>
#include <string>

#include "dlmfs/remove_lock.hpp"
#include "guard/host/vm.hpp"
#include "guard/lock/acquire_result.hpp"
#include "guard/lock/cluster_access.hpp"

namespace guard {

/// Returns the line that a user sees when a start is denied: the VM, the cause and the remedy.
[[nodiscard]] std::string denial(const std::string& vm_name, const std::string& denial_reason);
[[nodiscard]] std::string denial(const Vm& vm, const std::string& denial_reason);

/// Returns why the lock was not granted, and the remedy. `waited`: how long the hook has waited.
[[nodiscard]] std::string denial_reason(const Vm& vm, const AcquireResult& result,
                                        std::chrono::milliseconds waited);
/// As `denial_reason`, for an incoming migration.
[[nodiscard]] std::string migration_denial_reason(const ClusterAccess& cluster, const Vm& vm,
                                                  const AcquireResult& result,
                                                  std::chrono::milliseconds waited);

/// Returns the text about a cluster that did not answer for as long as the hook waits.
[[nodiscard]] std::string no_answer_text(std::chrono::milliseconds waited);
/// Returns the text about hosts that are not known to be silent, but not all of them have answered.
[[nodiscard]] std::string unanswered_text();
/// Returns the text about a kernel that recovers the locks of an evicted host.
[[nodiscard]] std::string recovering_text();
/// Returns the text about a host from which the kernel has received nothing for `silence`.
[[nodiscard]] std::string silent_peer_text(const std::string& host,
                                           std::chrono::milliseconds silence);
/// Returns why the lock was not unlocked.
[[nodiscard]] std::string unlock_failure(const UnlockResult& result,
                                         std::chrono::milliseconds waited);
/// Returns the text about what is left of the last run of the VM, and when it can start.
[[nodiscard]] std::string last_run_text(const LastRun& last_run);
/// Returns why the file of a VM's lock was not removed; empty for `done`.
[[nodiscard]] std::string why_file_stays(const ClusterAccess& cluster, const Vm& vm,
                                         dlmfs::Removal removal);

/// Returns the holder's name, or "unknown".
[[nodiscard]] std::string holder_name(const std::optional<Holder>& holder);

}  // namespace guard
