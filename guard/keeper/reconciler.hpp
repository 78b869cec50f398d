#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "guard/keeper/hand_overs.hpp"

namespace guard {

/// Compares the locks of this host with the VMs that libvirt reports as active here. Acquires
/// missing locks, opens locks again, and unlocks what no VM needs, once its QEMU is dead. Use it
/// only in the thread of the loop. Operations that may sleep run on worker threads.
///
/// Each comparison asks libvirt. Events only start one earlier, and do not replace the question:
/// libvirt sends no event before a VM has started, and none for a daemon that died, so a list made
/// from events would lack VMs that need their lock.
class Reconciler {
 public:
  /// A file in the state directory, written after each successful comparison.
  static constexpr const char* stamp_file = "keeper.reconciled";

  Reconciler(const Context& context, Hypervisor& hypervisor, Loop& loop, KeptLocks& kept_locks,
             Conflicts& conflicts, HandOvers& hand_overs)
      : context_(context),
        hypervisor_(hypervisor),
        loop_(loop),
        locks_(kept_locks),
        conflicts_(conflicts),
        hand_overs_(hand_overs) {}

  /// Calls `call` before each comparison, after libvirt has answered. So `call` reads all settings
  /// that were written before one of the reported VMs started.
  void before_each(Loop::Callback call) { before_each_ = std::move(call); }
  /// Calls `call` after each comparison, and after each failed attempt.
  void after_each(Loop::Callback call) { after_each_ = std::move(call); }
  /// Opens again what the file descriptor store and the records say this host holds, and starts the
  /// first comparison. Does not wait for it. Returns the number of records.
  std::size_t recover();
  /// Starts a comparison now, and the next one after keeper.reconcile_interval, or after 3 s at
  /// most if libvirt or the cluster did not answer. While a comparison runs, starts the next one
  /// directly after it.
  void run();
  /// Starts a comparison if the VM's lock does not match this event of libvirt. Usually the hook
  /// has locked or unlocked before libvirt sends the event. An event alone never unlocks.
  void vm_changed(const VmChange& change);
  /// Starts a comparison when libvirt's daemon has had time to restart: VMs may have changed
  /// without an event, and a daemon that died calls no `release`.
  void connection_broken();
  /// Unlocks the VM's lock if its record says that the VM is released.
  void look(const Vm& vm);
  /// Returns why the last comparison failed, each cause after a "; ". Empty: it succeeded.
  [[nodiscard]] std::string troubles() const;

 private:
  /// A process that must exit before a lock is unlocked.
  struct Ending {
    UniqueFd pidfd;
    Loop::Handle watch;
  };

  void compare(const std::map<dlmfs::Uuid, lock_operations::LockTrace>& lock_traces,
               const std::vector<Vm>& active);
  /// An operation that acquires, or opens again, the lock of a VM of this host.
  using Reacquire = std::optional<AcquireResult> (*)(const Context&, const Vm&, Pins&,
                                                     const std::atomic<bool>& hook_was_faster);
  [[nodiscard]] bool of_other_driver(const dlmfs::Uuid& uuid,
                                     const lock_operations::LockTrace& trace) const;
  void reacquire(const Vm& vm, Reacquire operation, const Event& event);
  void reacquired(KeptLock& kept, const std::optional<AcquireResult>& result, const Event& event);
  void unlock(const Vm& vm, const std::optional<lock_operations::LockTrace>& trace);
  void unlocked(const Vm& vm, const std::optional<UnlockResult>& result);
  void wait_for_last_run(const Vm& vm, const LastRun& last_run);
  void log_not_seen(const Vm& vm, const std::string& why, std::string_view lock);
  void wait_for(const Vm& vm, const Process& process);
  void retry_unlock(const Vm& vm);
  void reached(std::string& trouble, const std::string& why, const Event& lost, const Event& back);

  const Context& context_;
  Hypervisor& hypervisor_;
  Loop& loop_;
  KeptLocks& locks_;
  Conflicts& conflicts_;
  HandOvers& hand_overs_;
  std::map<dlmfs::Uuid, Ending> endings_;
  std::map<dlmfs::Uuid, Loop::Handle> retries_;
  std::set<dlmfs::Uuid> not_seen_;   ///< VMs for which the log says that no process can be seen
  std::set<dlmfs::Uuid> in_flight_;  ///< VMs whose I/O is in flight after their QEMU exited
  Loop::Callback before_each_ = [] {}, after_each_ = [] {};
  Loop::Handle next_;
  bool running_ = false, again_ = false;
  std::string libvirt_trouble_, cluster_trouble_;
};

}  // namespace guard
