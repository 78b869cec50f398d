#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

struct ListOptions {
  bool json = false;
  bool cluster = false;  ///< the VMs defined here that other hosts hold, too
};

/// List this host's locks and their anomalies.
[[nodiscard]] Outcome list(const VerbContext& context, const ListOptions& options);

}  // namespace guard::command
