#include "guard/command/verbs/join_leave.hpp"

#include <set>

#include "guard/command/verbs/all.hpp"
#include "guard/keeper/lock_operations.hpp"

namespace guard::command {

Outcome join(const VerbContext& context) {
  auto mount = context.base.cluster.open_checked_mount();
  if (!mount) return failure(ExitStatus::unavailable, mount.error().what);
  auto domains = context.base.cluster.domains();
  if (auto joined = join_domains(**mount, domains); !joined) {
    return failure(ExitStatus::unavailable, joined.error().what);
  }
  return {0, "", fmt::format("joined {} and {}\n", domains.locks.text(), domains.bells.text())};
}

Outcome leave(const VerbContext& context) {
  auto mount = context.base.cluster.open_any_mount();
  if (!mount) {
    auto anywhere = dlmfs::count_mounts(context.base.cluster.paths);
    if (anywhere && *anywhere == 0) return {0, "", "dlmfs is not mounted: nothing to leave\n"};
    return failure(ExitStatus::unavailable, mount.error().what);
  }
  if (auto others = context.base.host.records_outside(context.base.cluster.domain);
      !others.empty()) {
    return failure(
        ExitStatus::failed,
        fmt::format("this host holds locks in the domain {}: end or migrate the VMs first",
                    others.front().domain));
  }
  auto domains = context.base.cluster.domains();
  auto held = (*mount)->list(domains.locks);
  if (held && !held->empty()) {
    return failure(ExitStatus::failed,
                   fmt::format("this host holds {} lock{} (see `start-guard list`): end or migrate "
                               "the VMs first",
                               held->size(), held->size() == 1 ? "" : "s"));
  }
  std::set<dlmfs::Uuid> bells;  // left by processes that were killed while they asked
  for (const auto& name : (*mount)->list(domains.bells).value_or(std::vector<dlmfs::LockName>{}))
    bells.insert(name.uuid());
  lock_operations::remove_left_bells(context.base, bells);
  for (const auto& domain : {domains.bells, domains.locks}) {
    auto left = (*mount)->leave(domain);
    if (!left && left.error().code == ENOTEMPTY) {
      return failure(ExitStatus::failed,
                     fmt::format("a process of this host still asks other hosts (see {}/{}): try "
                                 "again in two minutes",
                                 context.base.settings.dlmfs.mount, domain.text()));
    }
    if (!left && left.error().code != ENOENT) {
      return failure(ExitStatus::failed, left.error().what);
    }
  }
  return {0, "", fmt::format("left {} and {}\n", domains.locks.text(), domains.bells.text())};
}

void add_join_leave(CommandLine& command_line) {
  // The kernel needs up to this long to find out that another host is not connected.
  constexpr std::chrono::seconds join_limit{75};
  command_line.add_with_context("join", "Join the DLM domains of the locks", join, join_limit);
  command_line.add_with_context("leave", "Leave these DLM domains; fails while locks are held",
                                leave);
}

}  // namespace guard::command
