#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "guard/lock/context.hpp"

namespace guard {

/// The reason why a VM's lock can be neither acquired for a new start nor unlocked on this host:
/// the VM's last run may still write to its disks.
struct LastRun {
  enum class Kind {
    qemu_alive,    ///< `qemu` runs the VM on this host
    qemu_unknown,  ///< a QEMU of the VM cannot be seen, but may be alive: `why`
    io_in_flight,  ///< I/O of its dead QEMU may still reach a disk: `why`
  };
  Kind kind;
  std::string why = {};
  Process qemu = {};
};

/// Returns what is left of the VM's last run, or nullopt if its QEMU is dead and none of its I/O is
/// in flight. Waits up to `patience` for QEMU to exit, and then up to `patience` for its I/O. Finds
/// QEMU by the process in the record or by the VM's UUID: if libvirt's daemon is killed during a
/// start, the record has no process. Then a QEMU that is ending, and that no record has, may be the
/// VM's. Only io_uring can leave I/O in flight: with io=native and
/// io=threads, the process does not end before its I/O.
[[nodiscard]] std::optional<LastRun> find_last_run(const Context& context, const Vm& vm,
                                                   const std::optional<Record>& record,
                                                   std::chrono::milliseconds patience = {});

/// Returns whether a QEMU of the VM is alive on this host. Checks the process in the record, waits
/// up to `patience` for it to exit, and then looks for a process by the VM's UUID. Tests pass
/// another `processes`.
[[nodiscard]] QemuSeen living_qemu(const Vm& vm, const std::optional<Record>& record,
                                   std::chrono::milliseconds patience = {},
                                   const std::filesystem::path& processes = "/proc");

/// Returns the last run of a QEMU that is alive or cannot be seen, or nullopt if it is dead.
[[nodiscard]] std::optional<LastRun> last_run_of(const QemuSeen& qemu);

/// Returns the first three disks, for example "/dev/sda, /dev/sdb", or "a disk" if they are
/// unknown.
[[nodiscard]] std::string disk_list(const std::optional<std::vector<std::string>>& disks);

}  // namespace guard
