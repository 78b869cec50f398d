#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>

#include "guard/host/vm.hpp"

namespace guard {

/// A process beyond doubt: a pid alone may have been given to another one meanwhile.
struct Process {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< clock ticks after boot, field 22 of /proc/PID/stat
};

/// The process that has this pid now. Another `proc` is for tests.
[[nodiscard]] std::optional<Process> process_of(pid_t pid,
                                                const std::filesystem::path& proc = "/proc");

/// Whether the process was started with `option` among its arguments.
[[nodiscard]] bool has_option(const Process& process, const std::string& option);

/// What can be told of a process. A lock stays while this is `unknown`, as while it is `alive`.
enum class Liveness {
  dead,
  alive,
  unknown,  ///< /proc hides the process, or the kernel refuses to tell
};

/// Whether any thread of the process still exists, after waiting for its end for up to `patience`.
/// A killed QEMU whose one thread hangs in the kernel is alive: that thread may still write its
/// disk. Another `proc` is for tests.
[[nodiscard]] Liveness liveness(const Process& process, std::chrono::milliseconds patience = {},
                                const std::filesystem::path& proc = "/proc");

/// The process libvirt has noted for the VM in DIRECTORY/DRIVER/NAME.pid. libvirt writes it before
/// `started`; at `stopped` it is still there, at `release` it is gone.
[[nodiscard]] std::optional<Process> process_in_pid_file(
    const Vm& vm, const std::filesystem::path& directory = "/run/libvirt",
    const std::filesystem::path& proc = "/proc");

/// Whether there is such a file, and a process with that pid.
[[nodiscard]] bool has_pid_file(const Vm& vm, const std::filesystem::path& directory);

/// The thread of the parent process that forked this one; 0 if the kernel does not tell
/// (CONFIG_PROC_CHILDREN; Debian's does).
[[nodiscard]] pid_t thread_that_forked_this();

/// Whether a QEMU of a VM exists on this host.
struct QemuSeen {
  Liveness liveness = Liveness::dead;
  std::optional<Process> process = std::nullopt;  ///< `alive`: which one
  std::string why = {};  ///< `unknown`: what hides processes, and how to change that
};

/// Looks for a living process that was started with `-uuid UUID`, as libvirt starts every QEMU.
/// Looks at all processes, and may sleep as long as one of them hangs in the kernel. `unknown`: no
/// such process was seen, but /proc may hide one. Another `proc` is for tests.
[[nodiscard]] QemuSeen find_qemu(const dlmfs::Uuid& uuid,
                                 const std::filesystem::path& proc = "/proc");

}  // namespace guard
