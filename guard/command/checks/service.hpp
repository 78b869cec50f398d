#pragma once

#include "guard/command/checks/finding.hpp"
#include "guard/ipc/keeper_client.hpp"

namespace guard::command {

/// That start-guard.service answers. What is not kept open, careless hands can take away unseen.
[[nodiscard]] Finding check_service(KeeperClient& keeper);

}  // namespace guard::command
