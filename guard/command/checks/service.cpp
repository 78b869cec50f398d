#include "guard/command/checks/service.hpp"

#include <fmt/format.h>

namespace guard::command {

Finding check_service(KeeperClient& keeper) {
  auto kept = keeper.kept();
  if (!kept) {
    return {"service", Health::fail,
            "start-guard.service does not answer: locks are not kept open, and no VM can migrate",
            "systemctl enable --now start-guard"};
  }
  return {"service", Health::ok,
          fmt::format("start-guard.service keeps {} lock{}", kept->size(),
                      kept->size() == 1 ? "" : "s")};
}

}  // namespace guard::command
