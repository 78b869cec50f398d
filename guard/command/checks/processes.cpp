#include "guard/command/checks/processes.hpp"

#include <fmt/format.h>

#include "guard/system/hidden_processes.hpp"

namespace guard::command {

Finding check_processes(const SystemPaths& paths, std::optional<pid_t> keeper) {
  auto hidden_from = [](std::string_view reader, const std::string& why) {
    return Finding{"processes", Health::fail,
                   fmt::format("hidden from {}, so locks of ended VMs are kept: {}", reader, why),
                   std::string(unhide_processes)};
  };
  if (auto why = why_processes_are_hidden(paths.processes)) {
    return hidden_from("this program", *why);
  }
  if (!keeper) return {"processes", Health::ok, "/proc shows QEMU's"};
  if (auto why = why_processes_are_hidden(paths.processes, std::to_string(*keeper))) {
    return hidden_from("start-guard.service", *why);
  }
  return {"processes", Health::ok, "/proc shows QEMU's, to start-guard.service as well"};
}

}  // namespace guard::command
