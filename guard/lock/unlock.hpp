#pragma once

#include "dlmfs/remove_lock.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "guard/lock/acquire_result.hpp"
#include "guard/system/abandonable_call.hpp"

namespace guard {

/// The call that unlocks a VM's lock and removes its record, but only if the VM's QEMU is dead and
/// none of its I/O is in flight. It removes the record last: if the process is killed before that,
/// no lock stays without its record.
/// The hook calls it at `release`, the keeper for what is left over (Reconciler::unlock), and an
/// operator with `start-guard release`.
class Unlock final : public AbandonableCall {
 public:
  /// `granted`: true if this host was granted the lock although it has no record. All references
  /// must outlive this object.
  Unlock(const Context& context, KeeperClient& keeper, const Vm& vm,
         const std::optional<Record>& record, bool granted = false)
      : context_(context),
        keeper_(keeper),
        vm_(vm),
        name_(vm.uuid),
        record_(record),
        granted_(record || granted) {}

  /// Unlocks. Waits up to half a second for QEMU to exit, up to half a second for its I/O, and up
  /// to one second for the keeper. The calls into dlmfs may sleep unkillably while the cluster
  /// evicts a host. So the hook calls this in a child process, and the keeper on a worker thread.
  [[nodiscard]] UnlockResult unlock();

  void run(const Send& send) override { send(to_text(unlock())); }
  void clean_up() override {}  // an abandoned unlock continues

 private:
  [[nodiscard]] UnlockResult stays(dlmfs::Removal removal) const;
  void arm_bell_again(dlmfs::Mount& mount) const;

  const Context& context_;
  KeeperClient& keeper_;
  const Vm& vm_;
  dlmfs::LockName name_;
  const std::optional<Record>& record_;
  bool granted_;
};

/// Waits for the result of a pending Unlock, at most until `deadline`. At the deadline, the call is
/// abandoned, and this returns `no_answer`.
[[nodiscard]] UnlockResult wait_for_unlock(PendingCall& pending, const Deadline& deadline);

}  // namespace guard
