#pragma once

#include "guard/command/check/finding.hpp"
#include "guard/command/check/places.hpp"

namespace guard::command {

/// That a cluster is configured and this host is in it, by the name it has.
[[nodiscard]] Finding check_node(const Places& places, const std::string& host);

/// That this host's heartbeat runs, and that no unmount can end it: that it is global.
[[nodiscard]] Finding check_heartbeat(const Places& places, bool require_global);

/// That every host whose heart beats is connected, and heard of: a connection whose cable is cut
/// stays one until a host ends itself. One that is down is no trouble.
[[nodiscard]] Finding check_peers(const Places& places);

/// How this host ends itself when it is cut off, and that it comes back.
[[nodiscard]] Finding check_fencing(const Places& places);

/// After how long which host is given up: the same on all of them.
[[nodiscard]] Finding check_timeouts(const Places& places);

}  // namespace guard::command
