#pragma once

#include "guard/command/desk.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

struct ListOptions {
  bool json = false;
  bool cluster = false;  ///< the VMs defined here that other hosts hold, too
};

/// This host's locks, and what is odd about them.
[[nodiscard]] Outcome list(const Desk& desk, const ListOptions& options);

}  // namespace guard::command
