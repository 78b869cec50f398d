#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace guard {

/// Why /proc may hide other processes from the process `of`, a pid or "self"; nothing: it shows
/// them all. Rests on fs/proc/base.c, has_pid_permissions(): without the mount option hidepid
/// nothing is hidden; with it, from whoever is not in the group of gid= (0 where none is named; it
/// does not count with hidepid=ptraceable) and may not ptrace the other process, for which
/// CAP_SYS_PTRACE is enough in any case. To try it on one other process, as on pid 1, proves less:
/// root without capabilities may look at some of root's processes, and not at a user's.
/// A security module may forbid more: "self" is tried on pid 1 as well.
///
/// Another `proc` is for tests.
[[nodiscard]] std::optional<std::string> why_processes_are_hidden(
    const std::filesystem::path& proc = "/proc", std::string_view of = "self");

/// What to do about it.
inline constexpr std::string_view unhide_processes =
    "mount -o remount,hidepid=0 /proc, or give start-guard.service CAP_SYS_PTRACE "
    "(CapabilityBoundingSet= in its unit)";

}  // namespace guard
