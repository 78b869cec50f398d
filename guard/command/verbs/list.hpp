#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

struct ListOptions {
  bool json = false;
  bool cluster = false;  ///< also list the VMs defined here that other hosts hold
};

/// Lists this host's locks and their anomalies.
[[nodiscard]] Outcome list(const VerbContext& context, const ListOptions& options);

}  // namespace guard::command
