#pragma once

#include "dlmfs/remove_lock.hpp"
#include "guard/lock/abandonable_call.hpp"
#include "guard/lock/world.hpp"

namespace guard {

/// The errand that gives a VM's lock back and forgets its record: only when no QEMU of the VM
/// lives on this host, and no I/O of one that has ended is in flight. Whatever comes in between,
/// the record stays for as long as the lock does.
class Unlock final : public AbandonableCall {
 public:
  /// `granted`: this host was granted the lock, though there is no record of that.
  Unlock(const World& world, KeeperClient& keeper, const Vm& vm,
         const std::optional<Record>& record, bool granted = false)
      : world_(world),
        keeper_(keeper),
        vm_(vm),
        name_(vm.uuid),
        record_(record),
        granted_(record || granted) {}

  [[nodiscard]] Answer run(const Tell& interim) override;
  void clean_up(const Answer&) override {}  // left behind, it goes on all the same

 private:
  [[nodiscard]] Answer stays(dlmfs::Removal removal) const;
  void announce_again(dlmfs::Mount& mount) const;

  const World& world_;
  KeeperClient& keeper_;
  const Vm& vm_;
  dlmfs::LockName name_;
  const std::optional<Record>& record_;
  bool granted_;
};

}  // namespace guard
