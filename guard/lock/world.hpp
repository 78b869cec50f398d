#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <sys/types.h>

#include "conf/settings.hpp"
#include "dlmfs/cluster.hpp"
#include "dlmfs/mount.hpp"
#include "guard/host/incoming_migration.hpp"
#include "guard/host/record.hpp"
#include "guard/host/state_directory.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "guard/lock/abandonable_call.hpp"
#include "guard/lock/bell.hpp"
#include "guard/log/log_line.hpp"
#include "guard/system/deadline.hpp"

namespace guard {

/// The two DLM domains: locks, and the bells beside them.
struct Domains {
  dlmfs::DomainName locks;
  dlmfs::DomainName bells;

  /// `name` as the configuration has it, checked there.
  [[nodiscard]] static Domains named(const std::string& name);
};

/// What a rule stands on: the host, its settings, its memory, its way into the cluster. The tests
/// put a made-up one in its place.
struct World {
  using OpenMount = std::function<Result<std::unique_ptr<dlmfs::Mount>>()>;

  conf::Settings settings;
  StateDirectory state;
  OpenMount open_checked_mount;  ///< refuses where locks would not exclude other hosts
  OpenMount open_any_mount;      ///< for giving back: any dlmfs will do
  std::unique_ptr<CallRunner> runner;
  std::unique_ptr<KeeperClient> keeper;
  Log log;
  Bell::Pause pause;
  std::string host;  ///< this host's name
  Caller caller = {};
  std::filesystem::path pid_files = "/run/libvirt";
  std::filesystem::path processes = "/proc";
  std::filesystem::path open_files = "/proc";  ///< file locks, and who has them
  dlmfs::ClusterPaths cluster_paths = {};
  Deadline deadline;

  [[nodiscard]] Records records() const { return Records(state); }
  [[nodiscard]] Domains domains() const { return Domains::named(settings.dlmfs.domain); }

  /// Those of a VM that this host has locked: its record's. A configuration that has been changed
  /// since says no more where that lock is.
  [[nodiscard]] Domains domains(const std::optional<Record>& record) const {
    return record && !record->domain.empty() ? Domains::named(record->domain) : domains();
  }

  /// The record of a VM. One that can't be read counts as one that tells nothing more than that
  /// this host took the lock.
  [[nodiscard]] std::optional<Record> load_record(const Vm& vm) const;

  /// The records of VMs whose locks are in another DLM domain than the configuration names now.
  [[nodiscard]] std::vector<Record> in_other_domains() const;

  /// Logs, and counts what `start-guard metrics` tells the number of.
  void log_event(const Event& event, const Vm& vm, std::initializer_list<LogField> more = {}) const;
  void log_event(const Event& event, std::initializer_list<LogField> fields = {}) const;
};

/// The real one, with the state directory opened.
[[nodiscard]] Result<World> real_world(conf::Settings settings);

/// Whether a QEMU of the VM exists on this host: the process its record names, or one found by its
/// UUID, since a daemon that was killed in the middle of a start never told which.
[[nodiscard]] QemuSeen living_qemu(const Vm& vm, const std::optional<Record>& record,
                                   std::chrono::milliseconds patience = {},
                                   const std::filesystem::path& processes = "/proc");

}  // namespace guard
