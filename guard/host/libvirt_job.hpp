#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "guard/host/vm.hpp"

namespace guard {

/// A job of libvirt's on a VM, as it names jobs since 0.9.5: virDomainAsyncJob in its
/// src/hypervisor/domain_job.c, and qemuMigrationJobPhase in src/qemu/qemu_domainjob.c.
struct LibvirtJob {
  std::string name;   ///< "migration in", "migration out", "start" (a restore from a file as well),
                      ///< "snapshot" (a revert)
  std::string phase;  ///< of a migration
  std::chrono::sys_time<std::chrono::milliseconds>
      since;  ///< the phase, or a later change of the VM
};

/// Returns the job in which libvirt runs the VM, as its own status file, DIRECTORY/DRIVER/NAME.xml,
/// has it. libvirt writes the file as soon as QEMU exists, so at `started` it is there
/// (qemuProcessLaunch in libvirt's src/qemu/qemu_process.c), and at each phase of a migration, with
/// the VM locked (qemuDomainObjSetJobPhase). Nullopt if the file cannot be read, is not about this
/// VM's UUID, or names no job: it is libvirt's private file, and its format may change.
[[nodiscard]] std::optional<LibvirtJob> libvirt_job(
    const Vm& vm, const std::filesystem::path& directory = "/run/libvirt");

}  // namespace guard
