#pragma once

#include "guard/command/checks/finding.hpp"
#include "guard/command/checks/system_paths.hpp"

namespace guard::command {

/// That a cluster is configured and this host is in it, by the name it has.
[[nodiscard]] Finding check_node(const SystemPaths& paths, const std::string& host);

/// That this host's heartbeat runs, and that no unmount can end it: that it is global.
[[nodiscard]] Finding check_heartbeat(const SystemPaths& paths, bool require_global);

/// That every host whose heart beats is connected, and heard of: a connection whose cable is cut
/// stays one until a host ends itself. One that is down is no trouble.
[[nodiscard]] Finding check_peers(const SystemPaths& paths);

/// How this host ends itself when it is cut off, and that it comes back.
[[nodiscard]] Finding check_fencing(const SystemPaths& paths);

/// After how long which host is given up: the same on all of them.
[[nodiscard]] Finding check_timeouts(const SystemPaths& paths);

}  // namespace guard::command
