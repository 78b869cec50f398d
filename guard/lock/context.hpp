#pragma once

#include "conf/settings.hpp"
#include "guard/host/qemu_process.hpp"
#include "guard/lock/cluster_access.hpp"
#include "guard/state/host_state.hpp"

namespace guard {

/// What the hook, the service and the command need of this host. Tests inject fakes.
struct Context {
  conf::Settings settings;
  HostState host;
  ClusterAccess cluster;
  ProcessPaths paths = {};
};

/// Opens the state directory; creates it if it does not exist. Fails only if that fails. Does not
/// use dlmfs.
[[nodiscard]] Result<Context> open_context(conf::Settings settings);

}  // namespace guard
