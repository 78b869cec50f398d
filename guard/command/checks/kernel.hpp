#pragma once

#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/system_paths.hpp"

namespace guard::command {

/// Checks that the kernel has what dlmfs and the heartbeat need. `release` and `build` are the
/// release, "6.1.0-56-amd64", and the version, "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2
/// (2026-11-01)", of uname(2).
[[nodiscard]] Finding check_kernel(const std::string& release, const std::string& build);

/// Checks that the kernel has the file system ocfs2_dlmfs.
[[nodiscard]] Finding check_module(const SystemPaths& paths);

/// Checks that the cluster stack is o2cb. With the other stack a denied lock hangs forever.
[[nodiscard]] Finding check_stack(const SystemPaths& paths);

}  // namespace guard::command
