#pragma once

#include <filesystem>
#include <optional>
#include <sys/types.h>

#include "guard/command/check/finding.hpp"
#include "guard/command/check/places.hpp"

namespace guard::command {

/// That neither this program, which sees what the hook sees, nor start-guard.service is kept from
/// seeing QEMU's processes: what they can't see counts as alive, and its lock stays. `keeper`: the
/// service's process, if it runs.
[[nodiscard]] Finding check_processes(const Places& places, std::optional<pid_t> keeper);

}  // namespace guard::command
