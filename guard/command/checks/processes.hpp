#pragma once

#include <filesystem>
#include <optional>
#include <sys/types.h>

#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/system_paths.hpp"

namespace guard::command {

/// That neither this program, which sees what the hook sees, nor start-guard.service is kept from
/// seeing QEMU's processes: what they can't see counts as alive, and its lock stays. `keeper`: the
/// service's process, if it runs.
[[nodiscard]] Finding check_processes(const SystemPaths& paths, std::optional<pid_t> keeper);

}  // namespace guard::command
