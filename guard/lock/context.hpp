#pragma once

#include "conf/settings.hpp"
#include "guard/host/host_state.hpp"
#include "guard/host/qemu_process.hpp"
#include "guard/lock/cluster_access.hpp"

namespace guard {

/// This host, as the hook, the service and the command see it. Tests inject fakes.
struct Context {
  conf::Settings settings;
  HostState host;
  ClusterAccess cluster;
  ProcessPaths paths = {};
};

/// Opens the state directory, and makes it if it is not there. The error is that of doing so.
[[nodiscard]] Result<Context> open_context(conf::Settings settings);

}  // namespace guard
