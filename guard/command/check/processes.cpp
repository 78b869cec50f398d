#include "guard/command/check/processes.hpp"

#include <fmt/format.h>

#include "guard/hidden_processes.hpp"

namespace guard::command {

Finding check_processes(const Places& places, std::optional<pid_t> keeper) {
  auto hidden_from = [](std::string_view whom, const std::string& why) {
    return Finding{"processes", Health::fail,
                   fmt::format("hidden from {}, so that locks of ended VMs stay: {}", whom, why),
                   std::string(unhide_processes)};
  };
  if (auto why = why_processes_are_hidden(places.processes)) {
    return hidden_from("this program", *why);
  }
  if (!keeper) return {"processes", Health::ok, "/proc shows QEMU's"};
  if (auto why = why_processes_are_hidden(places.processes, std::to_string(*keeper))) {
    return hidden_from("start-guard.service", *why);
  }
  return {"processes", Health::ok, "/proc shows QEMU's, to start-guard.service as well"};
}

}  // namespace guard::command
