#pragma once

#include "guard/command/check/finding.hpp"
#include "guard/command/survey.hpp"

namespace guard::command {

/// That every VM that runs here has its lock, and that it is kept open. Names those that are
/// exempt.
[[nodiscard]] Finding check_vms(const Survey& seen);

/// That no lock is held here for a VM that has ended.
[[nodiscard]] Finding check_left_over(const Survey& seen);

}  // namespace guard::command
