#pragma once

#include <chrono>

#include "guard/command/checks/finding.hpp"
#include "guard/command/holder_query.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// The period, by this host's clock, in which the other hosts were asked.
struct AskedBetween {
  std::chrono::sys_seconds from, to;
};

/// Checks that the clocks of the hosts agree, as far as the replies show it. A difference of one
/// hour does not let a VM run twice. But it makes every "since" wrong, in messages and in the logs
/// that operators read after a conflict.
[[nodiscard]] Finding compare_clocks(const std::vector<HolderReply>& heard,
                                     const AskedBetween& asked);

/// Asks the bells of a few VMs that other hosts may hold. Blocks until they have replied, at most
/// until the deadline of the context.
[[nodiscard]] Finding check_clocks(const VerbContext& context);

}  // namespace guard::command
