#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

#include "guard/host/vm.hpp"

namespace guard {

/// Where this host shows its processes. Tests use other paths.
struct ProcessPaths {
  std::string pid_files = "/run/libvirt";  ///< also libvirt's status files
  std::string processes = "/proc";
  std::string open_files = "/proc";  ///< file locks and the processes that hold them
};

/// Identifies a process. The pid alone does not, because the kernel may reuse it.
struct Process {
  pid_t pid = 0;
  std::uint64_t start_time = 0;  ///< clock ticks after boot, field 22 of /proc/PID/stat

  friend bool operator==(const Process&, const Process&) = default;
};

/// Returns the process that has this pid now, or nullopt if there is none or /proc hides it. Tests
/// pass another `proc`.
[[nodiscard]] std::optional<Process> process_of(pid_t pid,
                                                const std::filesystem::path& proc = "/proc");

/// Returns true if `option` is one of the arguments of the process. Tests pass another `proc`.
[[nodiscard]] bool has_option(const Process& process, const std::string& option,
                              const std::filesystem::path& proc = "/proc");

/// The state of a process. This host keeps a VM's lock while its QEMU is `alive` or `unknown`.
enum class Liveness {
  dead,
  alive,
  unknown,  ///< /proc hides the process, or the kernel refuses the query
};

/// Returns whether any thread of the process still exists. Waits up to `patience` for the process
/// to end. A killed QEMU is alive while one of its threads hangs in the kernel, because that thread
/// may still write to the disk. Tests pass another `proc`.
[[nodiscard]] Liveness liveness(const Process& process, std::chrono::milliseconds patience = {},
                                const std::filesystem::path& proc = "/proc");

/// Returns the process whose pid libvirt wrote to DIRECTORY/DRIVER/NAME.pid. libvirt writes the
/// file before `started`. The file still exists at `stopped`, but no longer at `release`.
[[nodiscard]] std::optional<Process> process_in_pid_file(
    const Vm& vm, const std::filesystem::path& directory = "/run/libvirt",
    const std::filesystem::path& proc = "/proc");

/// Returns true if that file exists and the kernel does not report that its process is gone
/// (ESRCH).
[[nodiscard]] bool has_pid_file(const Vm& vm, const std::filesystem::path& directory);

/// Returns the thread of the parent process that forked this process, or 0 if it is unknown. The
/// kernel needs CONFIG_PROC_CHILDREN; Debian's kernel has it.
[[nodiscard]] pid_t thread_that_forked_this();

/// The QEMU of a VM on this host, as far as this host can see.
struct QemuSeen {
  Liveness liveness = Liveness::dead;
  std::optional<Process> process = std::nullopt;  ///< set if `alive`
  std::string why = {};  ///< if `unknown`: the cause, and the remedy if /proc hides processes
};

/// Looks for a QEMU, of any VM, that has begun to exit: the kernel then shows no command line any
/// more (exit_mm in kernel/exit.c), but still waits for I/O that QEMU submitted by libaio
/// (exit_aio in fs/aio.c), as long as the disk hangs. Skips the processes in `others`. Waits up to
/// `patience` for its end. Returns `unknown` if there is one, else `dead`. Use it only for a VM
/// whose QEMU's pid is not recorded.
[[nodiscard]] QemuSeen find_ending_qemu(const std::vector<Process>& others,
                                        std::chrono::milliseconds patience = {},
                                        const std::filesystem::path& proc = "/proc");

/// Looks for a living process with the arguments `-uuid UUID`, as libvirt starts every QEMU. Reads
/// the command line of every process, so this call may block as long as one of them hangs in the
/// kernel. Returns `unknown` if no such process was seen but there may be one. Tests pass another
/// `proc`.
[[nodiscard]] QemuSeen find_qemu(const dlmfs::Uuid& uuid,
                                 const std::filesystem::path& proc = "/proc");

}  // namespace guard
