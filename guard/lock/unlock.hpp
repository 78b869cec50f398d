#pragma once

#include "dlmfs/remove_lock.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "guard/lock/acquire_result.hpp"
#include "guard/system/abandonable_call.hpp"

namespace guard {

/// The call that unlocks a VM's lock and removes its record: only if the VM's QEMU is dead and none
/// of its I/O is in flight. If it is killed midway the record stays for as long as the lock does.
class Unlock final : public AbandonableCall {
 public:
  /// `granted`: this host was granted the lock though it has no record. All references must outlive
  /// this.
  Unlock(const Context& context, KeeperClient& keeper, const Vm& vm,
         const std::optional<Record>& record, bool granted = false)
      : context_(context),
        keeper_(keeper),
        vm_(vm),
        name_(vm.uuid),
        record_(record),
        granted_(record || granted) {}

  /// Unlocks. Waits up to half a second for QEMU to exit, and as long for its I/O; an unlink sleeps
  /// while the cluster evicts a host.
  [[nodiscard]] UnlockResult unlock();

  void run(const Send& send) override { send(to_text(unlock())); }
  void clean_up() override {}  // an abandoned unlock goes on

 private:
  [[nodiscard]] UnlockResult stays(dlmfs::Removal removal) const;
  void announce_again(dlmfs::Mount& mount) const;

  const Context& context_;
  KeeperClient& keeper_;
  const Vm& vm_;
  dlmfs::LockName name_;
  const std::optional<Record>& record_;
  bool granted_;
};

/// Waits for the result of a pending Unlock. At the deadline `no_answer`, and the call is
/// abandoned.
[[nodiscard]] UnlockResult wait_for_unlock(PendingCall& pending, const Deadline& deadline);

}  // namespace guard
