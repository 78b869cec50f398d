#pragma once

#include <chrono>
#include <vector>

#include "guard/host/vm.hpp"
#include "guard/system/result.hpp"

namespace guard {

/// What libvirt reports about a VM on this host.
struct VmState {
  enum class Job { none, outgoing_migration, other };
  /// From before `prepare` until `release`. False for a VM that libvirt lists only because its
  /// daemon was killed while it started the VM (`start_abandoned`).
  bool active = false;
  Job job = Job::none;
  std::chrono::milliseconds job_age{0};  ///< age of an outgoing migration
};

/// An event of libvirt: a VM has started or ended.
struct VmChange {
  Vm vm;
  bool active;
};

/// The queries that the keeper makes to libvirt. Each call blocks while libvirt runs a hook for a
/// VM that the query concerns. Never call this while a hook may wait for you: deadlock. So the
/// keeper calls it on the worker threads of WorkerPool::libvirt. Any thread may call it.
class Hypervisor {
 public:
  virtual ~Hypervisor() = default;
  /// Returns the state of a VM; a VM that libvirt does not know is not active. Fails for a VM that
  /// is just migrating to this host: libvirt refuses the query until the VM runs here
  /// (src/qemu/qemu_driver.c, qemuDomainGetJobStatsInternal).
  [[nodiscard]] virtual Result<VmState> state_of(const dlmfs::Uuid& uuid) = 0;
  /// Returns all VMs that are active on this host.
  [[nodiscard]] virtual Result<std::vector<Vm>> active() = 0;
  /// Returns all VMs that libvirt on this host knows, active or not.
  [[nodiscard]] virtual Result<std::vector<Vm>> defined() = 0;
};

}  // namespace guard
