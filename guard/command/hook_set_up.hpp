#pragma once

#include <array>
#include <filesystem>
#include <functional>

#include "conf/settings.hpp"
#include "guard/command/checks/daemon.hpp"

namespace guard::command {

/// The libvirt drivers that run a hook named after the driver. start-guard's hook can be installed
/// for each of them.
inline constexpr std::array hook_drivers = {"qemu", "lxc", "libxl"};

/// Paths and functions for installing and removing the hook. Tests set others.
struct HookSetUp {
  std::string driver = "qemu";  ///< one of `hook_drivers`
  SystemPaths paths = {};
  std::filesystem::path copy = START_GUARD_HOOK_COPY;  ///< the hook to install
  std::filesystem::path state = "/run/start-guard";
  std::function<bool(const Daemon&)> tell = reload_daemon;
};

/// Waits until the daemon answers a query, up to 10 s, and then calls reload_daemon. Before that,
/// the daemon may still initialize its drivers, and then it ignores SIGHUP (daemonReloadHandler in
/// libvirt's src/remote/remote_daemon.c). Returns false if the daemon was not told.
[[nodiscard]] bool reload_initialized_daemon(const Daemon& daemon, const std::string& libvirt_uri);

/// Returns the paths of this host. If the configuration is invalid, the hook can still be installed
/// or removed: the state directory is then the default one.
[[nodiscard]] HookSetUp hook_set_up_of_this_host();

}  // namespace guard::command
