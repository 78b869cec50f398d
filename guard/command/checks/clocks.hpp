#pragma once

#include <chrono>

#include "guard/command/checks/finding.hpp"
#include "guard/command/holder_query.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Between these two moments, by this host's clock, others were asked.
struct AskedBetween {
  std::chrono::sys_seconds from, to;
};

/// That the hosts agree on the time, as far as their answers tell. An hour's difference makes no VM
/// run twice, but every "since" wrong, in messages and in the logs that are read after a conflict.
[[nodiscard]] Finding compare_clocks(const std::vector<HolderReply>& heard,
                                     const AskedBetween& asked);

/// Asks the bells of a few VMs that other hosts may hold. Sleeps until those have answered, or to
/// the world's deadline.
[[nodiscard]] Finding check_clocks(const VerbContext& context);

}  // namespace guard::command
