#include "guard/lock/join.hpp"

namespace guard {

Result<void> join(dlmfs::Mount& mount, const dlmfs::DomainName& domain) {
  auto joined = mount.join(domain);
  if (joined) return {};
  Error error = std::move(joined).error().in("joining the DLM domain " + domain.text());
  if (error.code == EINVAL) {
    error.what +=
        " (the heartbeat does not run, this node is not in the cluster's configuration, or hosts "
        "differ in heartbeat mode: see `o2cb cluster-status`)";
  }
  return fail(std::move(error));
}

}  // namespace guard
