#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Joins the domains of locks and bells, as the first start does. May sleep for a minute.
[[nodiscard]] Outcome join(const VerbContext& context);

/// Leaves them. Refused while this host holds a lock; without a dlmfs there is nothing to leave.
/// systemd runs it before it stops the cluster: install/o2cb.conf.
[[nodiscard]] Outcome leave(const VerbContext& context);

}  // namespace guard::command
