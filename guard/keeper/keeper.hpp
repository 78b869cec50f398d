#pragma once

#include <sys/types.h>

#include "guard/keeper/reconciler.hpp"

namespace guard {

/// Keeps this host's locks open, answers their bells, grants hand-overs, and compares the locks
/// with the VMs that libvirt reports as active. It never decides whether a VM may start. If it
/// dies, no lock is lost: the kernel holds the locks.
///
/// Use it only in the thread of the loop, which never blocks for long. Operations that may sleep
/// run on a worker thread, one at a time for each VM.
class Keeper {
 public:
  Keeper(const Context& context, Hypervisor& hypervisor, Loop& loop, FdStore& fd_store)
      : context_(context),
        locks_(loop, fd_store),
        conflicts_(context),
        hand_overs_(context, hypervisor, loop, locks_, conflicts_),
        reconciler_(context, hypervisor, loop, locks_, conflicts_, hand_overs_) {}

  /// Calls `call` before each comparison with libvirt, so that it can read changed settings.
  void before_comparing(Loop::Callback call) { reconciler_.before_each(std::move(call)); }
  /// Calls `call` after each comparison, and after each failed attempt.
  void after_comparing(Loop::Callback call) { reconciler_.after_each(std::move(call)); }
  /// Loads the locks that the file descriptor store has open, opens the locks of this host's
  /// records again, and starts the first comparison. Does not wait for them. Returns the number of
  /// records.
  std::size_t recover() { return reconciler_.recover(); }

  /// libvirt has reported a change of a VM, or, with nullopt, that its connection has broken.
  void libvirt_reported(const std::optional<VmChange>& change) {
    change ? reconciler_.vm_changed(*change) : reconciler_.connection_broken();
  }

  // The requests of the hooks:

  /// Keeps these open, in place of what was open for the VM before.
  void keep(const Vm& vm, Pins pins);
  /// Closes what is open for the VM here and in the file descriptor store, and then calls `closed`.
  /// Does so too if the store does not answer within half a second: then the unlink that follows
  /// fails and is retried.
  void close(const Vm& vm, KeptLocks::OnClosed closed) { locks_.close(vm.uuid, std::move(closed)); }
  /// Returns the level at which the VM's lock is open here, or nullopt.
  [[nodiscard]] std::optional<dlmfs::Level> level(const Vm& vm) const;
  /// Returns every lock that is open here.
  [[nodiscard]] std::vector<KeeperClient::KeptLockInfo> kept();
  /// Unlocks if the VM's record says that the VM is released: its hook could not unlock.
  void look(const Vm& vm) { reconciler_.look(vm); }
  /// Starts a comparison with libvirt now. Does not wait for it.
  void reconcile() { reconciler_.run(); }

  /// Returns the number of locks that are open here.
  [[nodiscard]] std::size_t count() const;
  /// Returns how many of them are in another file system than the one on this device.
  [[nodiscard]] std::size_t count_outside(dev_t device) const;
  /// Returns one line for an operator.
  [[nodiscard]] std::string status() const;

 private:
  const Context& context_;
  KeptLocks locks_;
  Conflicts conflicts_;
  HandOvers hand_overs_;
  Reconciler reconciler_;
};

}  // namespace guard
