#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

#include "guard/host/qemu_process.hpp"
#include "guard/system/result.hpp"

namespace guard {

/// libvirt's system daemon, or the daemon of one driver.
struct Daemon {
  std::string name;
  pid_t pid = 0;
  std::chrono::sys_time<std::chrono::nanoseconds> started;  ///< rounded down to 10 ms
};

/// Returns the daemons that run. A host has one, or none while no client uses libvirt. The error
/// has errno: the processes cannot be listed. Tests pass another `proc`.
[[nodiscard]] Result<std::vector<Daemon>> libvirt_daemons(
    const std::filesystem::path& proc = "/proc", std::string_view driver = "qemu");

/// Returns true if libvirt lists the VM as active only because its daemon was killed while it
/// started the VM. The next daemon never ends such a VM, because its status file has no pid
/// (qemuProcessReconnectHelper in libvirt's src/qemu/qemu_process.c). Requires that the file has no
/// pid, that each daemon was started after the file was written, so that none still starts the VM,
/// and that no QEMU of the VM is alive. A QEMU that appears later never runs its guest, because no
/// daemon knows it. Returns false if one of these conditions cannot be seen. Reads all of /proc, so
/// this may block as `find_qemu` does.
[[nodiscard]] bool start_abandoned(const Vm& vm, const ProcessPaths& paths = {});

}  // namespace guard
