#pragma once

#include <filesystem>

#include "guard/command/checks/finding.hpp"
#include "guard/command/lock_inventory.hpp"

namespace guard::command {

/// That every VM that runs here has its lock, and that it is kept open. Names those that are
/// exempt, those that use io_uring, and those of them whose I/O in flight could not be seen.
[[nodiscard]] Finding check_vms(const LockInventory& seen,
                                const std::filesystem::path& proc = "/proc");

/// That no lock is held here for a VM that has ended.
[[nodiscard]] Finding check_left_over(const LockInventory& seen);

}  // namespace guard::command
