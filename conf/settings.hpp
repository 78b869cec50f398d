#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "conf/result.hpp"

namespace conf {

/// Where the VMs' locks are.
struct Dlmfs {
  // Not a std::filesystem::path, here and below: it splits itself into its parts whenever it is
  // made or copied, in each call of the hook.
  std::string mount = "/dlm";
  std::string domain = "vms";  ///< the domain of the locks; the bells' domain appends "-bell"
  friend bool operator==(const Dlmfs&, const Dlmfs&) = default;
};

/// Whether a VM may start while the cluster is not usable.
enum class OnClusterDown { deny, allow };

/// What to do with a VM that runs on this host after a restart of libvirt's daemon, while another
/// host holds its lock.
enum class OnReconnectConflict { keep, kill };

struct Guard {
  std::chrono::milliseconds acquire_timeout{10'000};
  std::chrono::milliseconds migrate_window{10'000};
  OnClusterDown on_cluster_down = OnClusterDown::deny;
  OnReconnectConflict on_reconnect_conflict = OnReconnectConflict::keep;
  bool require_global_heartbeat = true;
  /// The VMs that need no lock: UUIDs, and names or globs as in fnmatch(3).
  std::vector<std::string> exempt;
  friend bool operator==(const Guard&, const Guard&) = default;
};

struct Keeper {
  std::chrono::milliseconds reconcile_interval{30'000};
  std::string libvirt_uri = "qemu:///system";
  friend bool operator==(const Keeper&, const Keeper&) = default;
};

struct Paths {
  std::string state = "/run/start-guard";
  friend bool operator==(const Paths&, const Paths&) = default;
};

/// The content of start-guard.toml. The initial values are the defaults.
struct Settings {
  Dlmfs dlmfs;
  Guard guard;
  Keeper keeper;
  Paths paths;

  /// Returns true if the VM is exempt from guarding by its UUID or its name.
  [[nodiscard]] bool exempts(const std::string& vm_name, const std::string& vm_uuid) const;
  friend bool operator==(const Settings&, const Settings&) = default;
};

/// Returns the path of the configuration: the environment variable START_GUARD_CONFIG, or
/// default_path if it is not set. libvirt does not pass this variable to a hook. It is for tests
/// and for running a hook manually.
[[nodiscard]] const char* path();
inline constexpr const char* default_path = "/etc/libvirt/start-guard.toml";

/// Reads the configuration. Returns the defaults if there is no file. Returns an Error for an
/// unknown key, a wrong type, an invalid value, or a file that not only root can write: a typo must
/// not silently disable protection.
[[nodiscard]] Result<Settings> load(const std::string& file);

}  // namespace conf
