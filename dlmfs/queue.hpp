#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dlmfs/cluster.hpp"
#include "dlmfs/mount.hpp"

namespace dlmfs {

/// A request that the DLM has not granted yet.
struct QueuedRequest {
  std::string host;  ///< its node's name in the cluster's configuration
  Level level;
  friend bool operator==(const QueuedRequest&, const QueuedRequest&) = default;
};

/// The requests that wait for a lock, as the kernel's debugfs tells them: all of them to the host
/// that masters the lock, to others their own; and only where debugfs is mounted. Else, or if there
/// are none: empty.
[[nodiscard]] std::vector<QueuedRequest> queued_requests(const ClusterPaths& paths,
                                                         const DomainName& domain,
                                                         const Name& name);

/// What this host has been granted in a domain, by the same source. Nothing: it does not tell.
[[nodiscard]] std::optional<std::map<LockName, Level>> granted_levels(const ClusterPaths& paths,
                                                                      const DomainName& domain);

}  // namespace dlmfs
