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
  /// Makes a daemon look for the hook of `driver`. Returns false if it may not have done so.
  std::function<bool(const Daemon&, const std::string& driver)> tell =
      [](const Daemon& daemon, const std::string&) { return reload_daemon(daemon); };
};

/// Returns the paths of this host. If the configuration is invalid, the hook can still be installed
/// or removed: the state directory is then the default one.
[[nodiscard]] HookSetUp hook_set_up_of_this_host();

}  // namespace guard::command
