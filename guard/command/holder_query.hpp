#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "guard/command/verb_context.hpp"

namespace guard::command {

/// What a VM's bell has said.
struct HolderReply {
  std::optional<Holder> holder =
      std::nullopt;          ///< nothing, and no trouble: no host says it holds it
  std::string trouble = {};  ///< why it has not said anything
};

/// How many bells have been asked so far.
using Progress = std::function<void(std::size_t)>;

/// Asks other hosts' bells of these VMs, some side by side, none longer than until the deadline:
/// a bell whose host has died sleeps until that host is evicted. In the order of `vms`.
[[nodiscard]] std::vector<HolderReply> ask_bells(const World& world, const std::vector<Vm>& vms,
                                                 const Deadline& deadline,
                                                 const Progress& progress);

/// Of a live migration, in words; empty at rest.
[[nodiscard]] std::string migration_text(const Holder& holder);

}  // namespace guard::command
