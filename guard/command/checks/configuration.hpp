#pragma once

#include "conf/settings.hpp"
#include "guard/command/checks/finding.hpp"

namespace guard::command {

/// Checks that start-guard.toml was loaded, and that starts are guarded with these settings.
[[nodiscard]] Finding check_configuration(const std::filesystem::path& file,
                                          const Result<conf::Settings>& loaded);

}  // namespace guard::command
