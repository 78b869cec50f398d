#pragma once

#include "guard/keeper/conflicts.hpp"
#include "guard/keeper/hypervisor.hpp"
#include "guard/keeper/kept_locks.hpp"
#include "guard/keeper/lock_operations.hpp"

namespace guard {

/// Answers the bells of this host's locks, consents to hand-overs where libvirt says that the VM is
/// being migrated away, and sees to it that the lock is one host's alone again afterwards.
class HandOvers {
 public:
  HandOvers(const Context& context, Hypervisor& hypervisor, Loop& loop, KeptLocks& kept_locks,
            Conflicts& conflicts);

  /// Writes the bell again, and answers it from then on.
  void arm_bell(KeptLock& kept);
  /// Does that if this host holds the lock and has no bell for it. The bell can be missing because
  /// another host had it open when the VM started.
  void arm_missing_bell(KeptLock& kept);
  /// Looks at the migration for which this lock is shared until that is over; if it is shared.
  void follow_migration(KeptLock& kept);

 private:
  /// What libvirt said of a VM, and when.
  struct LibvirtReply {
    VmState state;
    lock_operations::JobBegin at;       ///< when the answer came
    std::chrono::milliseconds took{0};  ///< and how long after the question

    [[nodiscard]] lock_operations::JobBegin job_began() const { return at - state.job_age; }
  };
  [[nodiscard]] std::optional<LibvirtReply> ask_libvirt(const dlmfs::Uuid& uuid);
  /// Reads libvirt's status file for an outgoing migration, while libvirt's daemon does not answer:
  /// one whose target may be preparing now, or for which the lock is shared.
  [[nodiscard]] std::optional<LibvirtReply> read_status_file(const KeptLock& kept) const;

  void rang(const dlmfs::Uuid& uuid);
  void answer(KeptLock& kept, const std::optional<LibvirtReply>& reply);
  void write_bell(KeptLock& kept, Holder::State state, Holder::Job job = {});
  void hand_over(KeptLock& kept, lock_operations::JobBegin job_began,
                 std::chrono::milliseconds job_age);
  void read_reply_slot(KeptLock& kept, const Holder& card);

  void queued(const dlmfs::Uuid& uuid);
  void log_queued(const Vm& vm);
  void share_for_late_request(KeptLock& kept);

  void poll_migration(const dlmfs::Uuid& uuid);
  [[nodiscard]] bool migration_over(const KeptLock& kept, const LibvirtReply& reply) const;
  void regain(KeptLock& kept);
  void still_shared(KeptLock& kept);
  void probe_other_holder(KeptLock& kept);

  const Context& context_;
  Hypervisor& hypervisor_;
  Loop& loop_;
  KeptLocks& locks_;
  Conflicts& conflicts_;
};

}  // namespace guard
