#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>

#include "guard/host/vm.hpp"

namespace guard {

/// A libvirt job on a VM. libvirt uses these names since 0.9.5: virDomainAsyncJob in its
/// src/hypervisor/domain_job.c, and qemuMigrationJobPhase in src/qemu/qemu_domainjob.c.
struct LibvirtJob {
  std::string name;   ///< "migration in", "migration out", "start" (also a restore from a file),
                      ///< "snapshot" (a revert)
  std::string phase;  ///< of a migration
  std::chrono::sys_time<std::chrono::milliseconds>
      since;  ///< start of the phase, or of a later change of the VM
};

/// Returns libvirt's current job on the VM, read from libvirt's status file
/// DIRECTORY/DRIVER/NAME.xml. libvirt writes the file as soon as QEMU exists (qemuProcessLaunch in
/// libvirt's src/qemu/qemu_process.c), so it exists at `started`. libvirt also writes it at each
/// phase of a migration, with the VM locked (qemuDomainObjSetJobPhase). Returns nullopt if the file
/// cannot be read, has another UUID, or names no job. The file is private to libvirt, so its format
/// may change.
[[nodiscard]] std::optional<LibvirtJob> libvirt_job(
    const Vm& vm, const std::filesystem::path& directory = "/run/libvirt");

/// What libvirt's status file says about the VM's process.
struct LibvirtStatus {
  pid_t pid = 0;  ///< 0: libvirt has not started QEMU yet
  std::chrono::sys_time<std::chrono::milliseconds> written;
};

/// Returns what the same file says, or nullopt if it cannot be read, has another UUID, or names no
/// pid.
[[nodiscard]] std::optional<LibvirtStatus> libvirt_status(
    const Vm& vm, const std::filesystem::path& directory = "/run/libvirt");

}  // namespace guard
