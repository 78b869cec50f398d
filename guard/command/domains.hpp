#pragma once

#include "guard/command/desk.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

/// Joins the domains of locks and bells, as the first start does. May sleep for a minute.
[[nodiscard]] Outcome join(const Desk& desk);

/// Leaves them. Refused while this host holds a lock; without a dlmfs there is nothing to leave.
/// systemd runs it before it stops the cluster: install/o2cb.conf.
[[nodiscard]] Outcome leave(const Desk& desk);

}  // namespace guard::command
