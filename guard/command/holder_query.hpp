#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "guard/command/verb_context.hpp"
#include "guard/lock/bell.hpp"

namespace guard::command {

/// The reply of a VM's bell.
struct HolderReply {
  std::optional<Holder> holder =
      std::nullopt;          ///< nullopt and no trouble: no host reports that it holds the lock
  std::string trouble = {};  ///< why there is no reply
  bool busy = false;         ///< the reason is another process of this host that works on the VM
};

/// Receives how many bells were asked so far.
using Progress = std::function<void(std::size_t)>;

/// Asks the bells of these VMs, some in parallel, and returns the replies in the order of `vms`.
/// Blocks at most until the deadline: a call for a bell whose host has died sleeps until that host
/// is evicted, with the VM's flock. So it asks nothing while a host is silent (see wait_for_peers).
/// Otherwise a start of the VM on this host would have to wait for it, even after the eviction.
[[nodiscard]] std::vector<HolderReply> ask_bells(const VerbContext& context,
                                                 const std::vector<Vm>& vms,
                                                 const Progress& progress);

/// Describes a live migration for an operator. Returns "" if none is under way.
[[nodiscard]] std::string migration_text(const Holder& holder);

}  // namespace guard::command
