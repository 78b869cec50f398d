#include "guard/lock/wait_for_peers.hpp"

#include <algorithm>
#include <map>

#include "dlmfs/dlm_debugfs.hpp"
#include "dlmfs/peers.hpp"
#include "guard/lock/denial.hpp"

namespace guard {
namespace {

using std::chrono::milliseconds;

using Silences = std::map<std::string, milliseconds>;

/// Returns the host whose sign of life is overdue for the longest time, or the end.
Silences::const_iterator overdue_peer(const Silences& silences, const dlmfs::ClusterPaths& paths) {
  auto longest = std::max_element(silences.begin(), silences.end(),
                                  [](const auto& a, const auto& b) { return a.second < b.second; });
  // Most starts need not read the cluster's configuration.
  constexpr milliseconds always_in_time{500};
  if (longest == silences.end() || longest->second < always_in_time) return silences.end();
  constexpr milliseconds late{500};  // the answer of a loaded host
  return longest->second < dlmfs::keepalive_delay(paths) + late ? silences.end() : longest;
}

bool recovering(const Context& context) {
  auto domains = context.cluster.domains();
  return dlmfs::recovering(context.cluster.paths, domains.locks) ||
         dlmfs::recovering(context.cluster.paths, domains.bells);
}

}  // namespace

std::optional<std::string> wait_for_peers(const Context& context, const Deadline& deadline) {
  constexpr milliseconds between{200};
  for (int calm_looks = 0, needed = 1;;) {
    auto silences = dlmfs::silence_of_peers(context.cluster.paths);
    if (!silences) return std::nullopt;
    auto overdue = overdue_peer(*silences, context.cluster.paths);
    bool any_overdue = overdue != silences->end();
    // Reading this takes as long as reading the silences, so most starts omit it.
    bool may_recover = needed > 1 || silences->empty();
    if (any_overdue || (may_recover && recovering(context))) {
      calm_looks = 0;
      needed = 2;  // the kernel drops a host's connection a moment before it begins to recover
    } else if (++calm_looks == needed) {
      return std::nullopt;
    }
    if (deadline.left() == milliseconds::zero()) {
      return any_overdue ? silent_peer_text(overdue->first, overdue->second)
                         : no_answer_text(context.settings.guard.acquire_timeout);
    }
    context.cluster.pause(std::min(deadline.left(), between));
  }
}

}  // namespace guard
