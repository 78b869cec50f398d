#pragma once

#include "conf/settings.hpp"
#include "guard/command/checks/finding.hpp"

namespace guard::command {

/// What the loader makes of start-guard.toml, and whether that leaves starts guarded.
[[nodiscard]] Finding check_configuration(const std::filesystem::path& file,
                                          const Result<conf::Settings>& loaded);

}  // namespace guard::command
