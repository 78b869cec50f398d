#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "guard/vm.hpp"

namespace guard {

/// Returns the name of the job in which libvirt runs the VM, as its own status file,
/// DIRECTORY/DRIVER/NAME.xml, has it: "migration in", "start" (a restore from a file as well),
/// "snapshot" (a revert). libvirt writes the file as soon as QEMU exists, so at `started` it is
/// there (qemuProcessLaunch in libvirt's src/qemu/qemu_process.c). Nullopt if the file cannot be
/// read or names no job: it is libvirt's private file, and its format may change.
[[nodiscard]] std::optional<std::string> libvirt_job(
    const Vm& vm, const std::filesystem::path& directory = "/run/libvirt");

}  // namespace guard
