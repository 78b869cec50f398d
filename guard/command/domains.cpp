#include "guard/command/domains.hpp"

#include "guard/message.hpp"
#include "guard/take.hpp"

namespace guard::command {

Outcome join(const Desk& desk) {
  auto mount = desk.world.open_mount();
  if (!mount) return failure(ExitStatus::unavailable, mount.error().what);
  auto domains = desk.world.domains();
  if (auto joined = join_both(**mount, domains); !joined) {
    return failure(ExitStatus::unavailable, joined.error().what);
  }
  return {0, "", fmt::format("joined {} and {}\n", domains.locks.text(), domains.bells.text())};
}

Outcome leave(const Desk& desk) {
  auto mount = desk.world.reach_mount();
  if (!mount) {
    auto anywhere = dlmfs::count_mounts(desk.world.cluster_paths);
    if (anywhere && *anywhere == 0) return {0, "", "dlmfs is not mounted: nothing to leave\n"};
    return failure(ExitStatus::unavailable, mount.error().what);
  }
  if (auto others = desk.world.in_other_domains(); !others.empty()) {
    return failure(
        ExitStatus::failed,
        fmt::format("this host holds locks in the domain {}: end or migrate the VMs first",
                    others.front().domain));
  }
  auto domains = desk.world.domains();
  auto held = (*mount)->list(domains.locks);
  if (held && !held->empty()) {
    return failure(ExitStatus::failed,
                   fmt::format("this host holds {} lock{} (see `start-guard list`): end or migrate "
                               "the VMs first",
                               held->size(), held->size() == 1 ? "" : "s"));
  }
  for (const auto& domain : {domains.bells, domains.locks}) {
    auto left = (*mount)->leave(domain);
    if (!left && left.error().code != ENOENT) {
      return failure(ExitStatus::failed, left.error().what);
    }
  }
  return {0, "", fmt::format("left {} and {}\n", domains.locks.text(), domains.bells.text())};
}

}  // namespace guard::command
