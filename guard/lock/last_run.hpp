#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "guard/lock/context.hpp"

namespace guard {

/// Why a VM's lock can be neither acquired for a new start nor unlocked on this host: the VM's last
/// run may still write to its disks.
struct LastRun {
  enum class Kind {
    qemu_alive,    ///< `qemu` runs the VM on this host
    qemu_unknown,  ///< whether a QEMU of the VM is alive can't be seen: `why`. Counts as alive
    io_in_flight,  ///< I/O of its dead QEMU may still reach a disk: `why`
  };
  Kind kind;
  std::string why = {};
  Process qemu = {};
};

/// Returns what is left of the VM's last run, or nullopt if its QEMU is dead and none of its I/O is
/// in flight; waits up to `patience` for either to end. Finds QEMU by the record's process, or by
/// its UUID, since a daemon that is killed during a start reports no process. Only io_uring leaves
/// I/O in flight: with native and threads the process does not end before its I/O.
[[nodiscard]] std::optional<LastRun> find_last_run(const Context& context, const Vm& vm,
                                                   const std::optional<Record>& record,
                                                   std::chrono::milliseconds patience = {});

/// Returns a QEMU of the VM that is or may be alive on this host.
[[nodiscard]] QemuSeen living_qemu(const Vm& vm, const std::optional<Record>& record,
                                   std::chrono::milliseconds patience = {},
                                   const std::filesystem::path& processes = "/proc");

/// As `find_last_run`, for the QEMU only and by its UUID alone.
[[nodiscard]] std::optional<LastRun> last_run_of(const QemuSeen& qemu);

/// Returns "/dev/sda, /dev/sdb": the first few disks, or "a disk" where they are unknown.
[[nodiscard]] std::string disk_list(const std::optional<std::vector<std::string>>& disks);

}  // namespace guard
