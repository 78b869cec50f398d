#pragma once

#include <map>
#include <optional>
#include <set>
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

/// Whether a request of this host waits for a lock, by the same source. The kernel knows which node
/// this host is (its `local` file); the host's name need not be the node's.
[[nodiscard]] OwnRequest own_request(const ClusterPaths& paths, const DomainName& domain,
                                     const Name& name);

/// The locks of a domain for which a request of this host waits. Nothing: it does not tell.
[[nodiscard]] std::optional<std::set<LockName>> own_requests(const ClusterPaths& paths,
                                                             const DomainName& domain);

}  // namespace dlmfs
