#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "conf/settings.hpp"
#include "dlmfs/cluster.hpp"
#include "dlmfs/mount.hpp"
#include "dlmfs/remove_lock.hpp"
#include "guard/state/record.hpp"

namespace guard {

/// The two DLM domains: one for the locks, one for their bells.
struct Domains {
  dlmfs::DomainName locks;
  dlmfs::DomainName bells;

  /// Returns the domains for `name`, the configuration's dlmfs.domain. The parser of the
  /// configuration has checked it.
  [[nodiscard]] static Domains named(const std::string& name);
};

/// This host's access to the cluster's locks.
struct ClusterAccess {
  using OpenMount = std::function<Result<std::unique_ptr<dlmfs::Mount>>()>;

  OpenMount open_checked_mount;  ///< fails if a lock would not exclude other hosts
  OpenMount open_any_mount;      ///< for unlocking: does not check the cluster
  std::string mount;             ///< dlmfs.mount, for messages
  std::string domain;            ///< dlmfs.domain
  std::string host_name;         ///< this host's name, as other hosts read it
  dlmfs::ClusterPaths paths = {};
  dlmfs::Pause pause;  ///< sleeps; tests inject one that does not

  [[nodiscard]] Domains domains() const { return Domains::named(domain); }

  /// Returns the domains of a VM's lock: those of its record, because the configuration may have
  /// changed since then, or the configured ones if there is no record.
  [[nodiscard]] Domains domains(const std::optional<Record>& record) const {
    return record && !record->domain.empty() ? Domains::named(record->domain) : domains();
  }

  /// Returns the path of a VM's lock, for messages.
  [[nodiscard]] std::string lock_file(const Vm& vm) const {
    return mount + "/" + domain + "/" + dlmfs::LockName(vm.uuid).text();
  }
};

/// Returns the access that the settings describe. Opens nothing and does not block.
[[nodiscard]] ClusterAccess cluster_access(const conf::Settings& settings);

/// Joins a DLM domain, unless this host has joined it. Blocks and fails like dlmfs::Mount::join.
/// The message for EINVAL names the possible causes and the command that shows them.
[[nodiscard]] Result<void> join(dlmfs::Mount& mount, const dlmfs::DomainName& domain);

/// Joins both domains.
[[nodiscard]] Result<void> join_domains(dlmfs::Mount& mount, const Domains& domains);

}  // namespace guard
