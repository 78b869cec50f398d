#pragma once

#include <array>
#include <filesystem>
#include <functional>

#include "guard/command/checks/daemon.hpp"

namespace guard::command {

/// libvirt's drivers that run a hook of their own name at what their VMs do, start-guard's among
/// them.
inline constexpr std::array hook_drivers = {"qemu", "lxc", "libxl"};

/// How the hook comes to its place among libvirt's hooks, and goes from it. Other places are for
/// tests.
struct HookSetUp {
  std::string driver = "qemu";  ///< one of `hook_drivers`
  SystemPaths paths = {};
  std::filesystem::path copy = START_GUARD_HOOK_COPY;  ///< the hook that goes there
  std::filesystem::path state = "/run/start-guard";
  std::function<bool(const Daemon&)> tell = reload_daemon;
};

}  // namespace guard::command
