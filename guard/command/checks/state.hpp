#pragma once

#include <filesystem>

#include "guard/command/checks/finding.hpp"

namespace guard::command {

/// Checks that the hook can write the record of a lock. Otherwise it does not acquire the lock.
[[nodiscard]] Finding check_state(const std::filesystem::path& directory);

}  // namespace guard::command
