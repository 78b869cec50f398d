#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "guard/command/output/terminal.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "guard/keeper/hypervisor.hpp"
#include "guard/lock/context.hpp"
#include "guard/system/abandonable_call.hpp"
#include "guard/system/deadline.hpp"

namespace guard::command {

/// Dependencies of a verb. Tests inject fakes.
struct VerbContext {
  const Context& base;
  KeeperClient& keeper;
  CallRunner& runner;
  Hypervisor& libvirt;
  Deadline deadline;  ///< by when to return what is known
  Terminal terminal = {};
  /// Shows the progress of a slow verb.
  std::function<void(std::size_t done, std::size_t of)> progress = [](auto, auto) {};
};

/// Returns a VM's name for one line of a terminal: without unprintable characters, and in quotes
/// unless it is a single plain word.
[[nodiscard]] std::string display_name(const std::string& name);

}  // namespace guard::command
