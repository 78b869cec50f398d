#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Joins the domains of locks and bells, as the first start does. May sleep for a minute.
[[nodiscard]] Outcome join(const VerbContext& context);

/// Leaves these domains. Fails while this host holds a lock. If no dlmfs is mounted, there is
/// nothing to leave. systemd runs this verb before it stops the cluster (install/stop-o2cb).
[[nodiscard]] Outcome leave(const VerbContext& context);

}  // namespace guard::command
