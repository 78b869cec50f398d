#pragma once

#include <filesystem>
#include <optional>
#include <sys/types.h>

#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/system_paths.hpp"

namespace guard::command {

/// Checks that this program and start-guard.service can see QEMU's processes in /proc. The hook
/// sees what this program sees. A process that cannot be seen is assumed to be alive, and its lock
/// is not unlocked. `keeper`: the PID of the service, if it runs.
[[nodiscard]] Finding check_processes(const SystemPaths& paths, std::optional<pid_t> keeper);

}  // namespace guard::command
