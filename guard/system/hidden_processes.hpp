#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace guard {

/// Returns why /proc may hide other processes from the process `of` (a pid or "self"), or nullopt
/// if /proc shows all of them.
///
/// Follows has_pid_permissions() in the kernel's fs/proc/base.c. Without the mount option hidepid,
/// /proc hides nothing. With it, a process sees another process if it is in the group of gid=
/// (default 0; ignored with hidepid=ptraceable) or may ptrace the other process. CAP_SYS_PTRACE
/// always suffices for that. A test on one process such as pid 1 would prove less: root without
/// capabilities may see some processes of root, but not those of a user.
///
/// A security module may forbid more, so for "self" this also reads /proc/1/stat if /proc has
/// hidepid. Tests pass another `proc`.
[[nodiscard]] std::optional<std::string> why_processes_are_hidden(
    const std::filesystem::path& proc = "/proc", std::string_view of = "self");

/// The remedy, for messages.
inline constexpr std::string_view unhide_processes =
    "mount -o remount,hidepid=0 /proc, or give start-guard.service CAP_SYS_PTRACE "
    "(CapabilityBoundingSet= in its unit)";

}  // namespace guard
