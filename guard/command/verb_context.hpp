#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "guard/keeper/hypervisor.hpp"
#include "guard/lock/world.hpp"

namespace guard::command {

/// Where a verb's output goes.
struct Terminal {
  int width = 0;  ///< columns of the terminal; 0: it is none
  bool colour = false;
};

/// What a verb stands on.
struct VerbContext {
  const World& world;
  Hypervisor& libvirt;
  Terminal terminal = {};
  /// How far a verb is that takes its time.
  std::function<void(std::size_t done, std::size_t of)> progress = [](auto, auto) {};
};

/// A VM's name fit for one line of a terminal, without unprintable characters; in quotes where it
/// would not be one word.
[[nodiscard]] std::string display_name(const std::string& name);

}  // namespace guard::command
