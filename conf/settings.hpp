#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include <tl/expected.hpp>

#include "guard/system/result.hpp"

namespace conf {

using guard::Error;
using guard::fail;
using guard::Result;

/// Where the cluster locks are.
struct Dlmfs {
  std::filesystem::path mount = "/dlm";
  std::string domain = "vms";  ///< the locks' domain; the bells' is this with "-bell" behind it
  friend bool operator==(const Dlmfs&, const Dlmfs&) = default;
};

/// What to do with a start while the cluster is not usable.
enum class OnClusterDown { deny, allow };

/// What to do with a VM found running here, after a restart of libvirt's daemon, while another host
/// holds its lock.
enum class OnReconnectConflict { keep, kill };

struct Guard {
  std::chrono::milliseconds acquire_timeout{10'000};
  std::chrono::milliseconds migrate_window{10'000};
  OnClusterDown on_cluster_down = OnClusterDown::deny;
  OnReconnectConflict on_reconnect_conflict = OnReconnectConflict::keep;
  bool require_global_heartbeat = true;
  /// These VMs take no lock: UUIDs, and names, which are globs as in fnmatch(3).
  std::vector<std::string> exempt;
  friend bool operator==(const Guard&, const Guard&) = default;
};

struct Keeper {
  std::chrono::milliseconds reconcile_interval{30'000};
  std::string libvirt_uri = "qemu:///system";
  friend bool operator==(const Keeper&, const Keeper&) = default;
};

struct Paths {
  std::filesystem::path state = "/run/start-guard";
  friend bool operator==(const Paths&, const Paths&) = default;
};

/// Everything in start-guard.toml, with the defaults of an absent one.
struct Settings {
  Dlmfs dlmfs;
  Guard guard;
  Keeper keeper;
  Paths paths;

  /// Whether the VM is exempt from guarding, by its UUID or by its name.
  [[nodiscard]] bool exempts(const std::string& vm_name, const std::string& vm_uuid) const;
  friend bool operator==(const Settings&, const Settings&) = default;
};

/// Returns the configuration's path: START_GUARD_CONFIG, else default_path. libvirt passes no such
/// variable on to a hook; it is for tests and for running a hook by hand.
[[nodiscard]] const char* path();
inline constexpr const char* default_path = "/etc/libvirt/start-guard.toml";

/// Reads the configuration. An absent file is the defaults; an unknown key, a wrong type, a bad
/// value, or a file that is not root's alone to write is an Error: a typo must not silently switch
/// protection off.
[[nodiscard]] Result<Settings> load(const std::filesystem::path& file);

}  // namespace conf
