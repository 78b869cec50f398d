#pragma once

#include <chrono>
#include <vector>

#include "guard/host/vm.hpp"
#include "guard/system/result.hpp"

namespace guard {

/// What libvirt tells of a VM on this host.
struct VmState {
  enum class Job { none, outgoing_migration, incoming_migration, other };
  bool active = false;  ///< from before `prepare` until `release`
  Job job = Job::none;
  std::chrono::milliseconds job_age{0};  ///< how long an outgoing migration has been under way

  [[nodiscard]] bool migrating() const {
    return job == Job::outgoing_migration || job == Job::incoming_migration;
  }
};

/// libvirt, as far as the keeper asks it. Any call here sleeps for as long as a hook of a VM it
/// concerns runs: no one whom a hook waits for may make it. From any thread.
class Hypervisor {
 public:
  virtual ~Hypervisor() = default;
  [[nodiscard]] virtual Result<VmState> state_of(const dlmfs::Uuid& uuid) = 0;
  /// All VMs that are active on this host.
  [[nodiscard]] virtual Result<std::vector<Vm>> active() = 0;
  /// All VMs this host knows, active or not.
  [[nodiscard]] virtual Result<std::vector<Vm>> defined() = 0;
};

}  // namespace guard
