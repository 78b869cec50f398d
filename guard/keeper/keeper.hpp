#pragma once

#include <sys/types.h>

#include "guard/keeper/reconciler.hpp"

namespace guard {

/// Keeps this host's locks open, answers their bells, consents to hand-overs, and compares them
/// with the VMs that libvirt says run here. It never decides whether a VM may start, and nothing is
/// lost when it dies: the locks are the kernel's.
///
/// All of it runs in the loop's thread, which never sleeps: what may sleep is done beside it, for
/// each VM one thing at a time.
class Keeper {
 public:
  Keeper(const Context& context, Hypervisor& hypervisor, Loop& loop, FdStore& fd_store)
      : context_(context),
        locks_(loop, fd_store),
        conflicts_(context),
        hand_overs_(context, hypervisor, loop, locks_, conflicts_),
        reconciler_(context, hypervisor, loop, locks_, conflicts_, hand_overs_) {}

  /// Called before each comparison with libvirt: to learn what of the settings has changed.
  void before_comparing(Loop::Callback call) { reconciler_.before_each(std::move(call)); }
  /// Picks up what the file descriptor store has open and what the records say this host holds, and
  /// compares for the first time. Returns how many records there are.
  std::size_t begin() { return reconciler_.begin(); }

  // What the hooks ask for.

  void keep(const Vm& vm, Pins pins);
  /// Calls `closed` when nothing of the VM is open here any more, nor in the file descriptor store
  /// unless that does not answer: then the unlink that follows fails, and is tried again.
  void close(const Vm& vm, KeptLocks::Closed closed) { locks_.close(vm.uuid, std::move(closed)); }
  [[nodiscard]] std::optional<dlmfs::Level> level(const Vm& vm) const;
  /// Every lock that is open here.
  [[nodiscard]] std::vector<KeeperClient::KeptLockInfo> kept();
  /// The VM's lock is to go back, and its hook could not give it back.
  void look(const Vm& vm) { reconciler_.look(vm); }
  /// Compares with libvirt now.
  void reconcile() { reconciler_.run(); }

  /// How many locks are kept.
  [[nodiscard]] std::size_t count() const;
  /// How many of them are in another file system than the one on this device.
  [[nodiscard]] std::size_t count_outside(dev_t device) const;
  /// One line for an operator.
  [[nodiscard]] std::string status() const;

 private:
  const Context& context_;
  KeptLocks locks_;
  Conflicts conflicts_;
  HandOvers hand_overs_;
  Reconciler reconciler_;
};

}  // namespace guard
