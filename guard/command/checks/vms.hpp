#pragma once

#include <filesystem>

#include "guard/command/checks/finding.hpp"
#include "guard/command/lock_inventory.hpp"

namespace guard::command {

/// Checks that every VM that runs here has its lock, and that the lock is kept open. Names the VMs
/// that are exempt, those that use io_uring, and those of the latter whose I/O in flight could not
/// be seen.
[[nodiscard]] Finding check_vms(const LockInventory& seen,
                                const std::filesystem::path& proc = "/proc");

/// Checks that this host holds no lock for a VM that has ended.
[[nodiscard]] Finding check_left_over(const LockInventory& seen);

}  // namespace guard::command
