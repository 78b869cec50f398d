#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "guard/command/output/terminal.hpp"
#include "guard/keeper/hypervisor.hpp"
#include "guard/lock/world.hpp"

namespace guard::command {

/// Dependencies of a verb. Tests inject fakes.
struct VerbContext {
  const World& world;
  Hypervisor& libvirt;
  Terminal terminal = {};
  /// Shows the progress of a slow verb.
  std::function<void(std::size_t done, std::size_t of)> progress = [](auto, auto) {};
};

/// Returns a VM's name for one line of a terminal: without unprintable characters, and in quotes
/// unless it is a single plain word.
[[nodiscard]] std::string display_name(const std::string& name);

}  // namespace guard::command
