#pragma once

#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/system_paths.hpp"

namespace guard::command {

/// That the kernel has what dlmfs and the heartbeat need. `release` and `build` are uname(2)'s
/// release, "6.1.0-56-amd64", and version, "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-01)".
[[nodiscard]] Finding check_kernel(const std::string& release, const std::string& build);

/// That the kernel knows dlmfs.
[[nodiscard]] Finding check_module(const SystemPaths& paths);

/// That the cluster stack is o2cb; on a denied lock the other one hangs for ever.
[[nodiscard]] Finding check_stack(const SystemPaths& paths);

}  // namespace guard::command
