#pragma once

#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/system_paths.hpp"

namespace guard::command {

/// Checks that a cluster is configured, and that this host is a node of it under its own name.
[[nodiscard]] Finding check_node(const SystemPaths& paths, const std::string& host);

/// Checks that this host's heartbeat runs and is global, so that no unmount can end it.
/// `require_global`: a heartbeat that is not global is a failure, not a warning.
[[nodiscard]] Finding check_heartbeat(const SystemPaths& paths, bool require_global);

/// Checks that every host with a heartbeat is connected and has sent data recently. If a cable is
/// cut, the kernel still lists the connection until one of the hosts fences itself. A host that is
/// down is no failure.
[[nodiscard]] Finding check_peers(const SystemPaths& paths);

/// Checks how this host fences itself when it is cut off, and that it reboots afterwards.
[[nodiscard]] Finding check_fencing(const SystemPaths& paths);

/// Reports after how long a host is considered dead. The timeouts must be the same on all hosts.
[[nodiscard]] Finding check_timeouts(const SystemPaths& paths);

}  // namespace guard::command
