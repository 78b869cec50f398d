#pragma once

#include <filesystem>

#include "guard/command/checks/finding.hpp"

namespace guard::command {

/// That what the hook must remember of a lock it takes can be written down; else it takes none.
[[nodiscard]] Finding check_state(const std::filesystem::path& directory);

}  // namespace guard::command
