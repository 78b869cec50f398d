#pragma once

#include "guard/command/check/finding.hpp"
#include "guard/keeper_line.hpp"

namespace guard::command {

/// That start-guard.service answers. What is not kept open, careless hands can take away unseen.
[[nodiscard]] Finding check_service(KeeperLine& keeper);

}  // namespace guard::command
