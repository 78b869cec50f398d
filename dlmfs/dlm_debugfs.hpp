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
  std::string host;  ///< the node's name in the cluster configuration
  Level level;
  friend bool operator==(const QueuedRequest&, const QueuedRequest&) = default;
};

/// Returns the queued requests for a lock from the kernel's debugfs. The host that masters the lock
/// sees all requests; any other host sees only its own. Returns an empty list if debugfs is not
/// mounted.
[[nodiscard]] std::vector<QueuedRequest> queued_requests(const ClusterPaths& paths,
                                                         const DomainName& domain,
                                                         const Name& name);

/// Returns the levels that this host has been granted in a domain, from the same source, or nullopt
/// if they cannot be read.
[[nodiscard]] std::optional<std::map<LockName, Level>> granted_levels(const ClusterPaths& paths,
                                                                      const DomainName& domain);

/// Returns whether a request of this host for a lock is queued, from the same source. The node's
/// `local` file in configfs tells which node is this host, because the host name and the node name
/// may differ.
[[nodiscard]] OwnRequest own_request(const ClusterPaths& paths, const DomainName& domain,
                                     const Name& name);

/// Returns the locks of a domain for which a request of this host is or may be queued, or nullopt
/// if debugfs cannot be read.
[[nodiscard]] std::optional<std::set<LockName>> own_requests(const ClusterPaths& paths,
                                                             const DomainName& domain);

/// Returns whether the kernel is recovering the locks of an evicted host in a domain, from
/// dlm_state in the same folder (debug_state_print in fs/ocfs2/dlm/dlmdebug.c). Returns false if
/// that cannot be read.
[[nodiscard]] bool recovering(const ClusterPaths& paths, const DomainName& domain);

}  // namespace dlmfs
