#pragma once

#include "guard/command/checks/finding.hpp"
#include "guard/ipc/keeper_client.hpp"

namespace guard::command {

/// Checks that start-guard.service answers. A lock that it does not keep open can be unlocked by an
/// accidental rm, unnoticed.
[[nodiscard]] Finding check_service(KeeperClient& keeper);

}  // namespace guard::command
