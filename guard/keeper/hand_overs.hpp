#pragma once

#include "guard/keeper/conflicts.hpp"
#include "guard/keeper/hypervisor.hpp"
#include "guard/keeper/kept_locks.hpp"
#include "guard/keeper/lock_operations.hpp"

namespace guard {

/// Answers the bells of this host's locks. Grants a hand-over if libvirt reports an outgoing
/// migration of the VM, and makes the lock exclusive again after the migration. Use it only in the
/// thread of the loop; no function blocks for longer than a write into a lock value block.
///
/// A hand-over: the target requests the bell (bell_requested); this asks libvirt (answer_bell),
/// lowers the lock to PR and says so in the bell (hand_over); the target writes its reply into the
/// bell and queues for PR (read_reply_slot, share_for_late_request). While the lock is shared, this
/// polls libvirt (poll_migration) until the migration is over, and acquires EX again (regain). If
/// the other host keeps PR for long, this asks it why (probe_other_holder).
class HandOvers {
 public:
  HandOvers(const Context& context, Hypervisor& hypervisor, Loop& loop, KeptLocks& kept_locks,
            Conflicts& conflicts);

  /// Acquires the bell again on a worker thread, with its default content. From then on this
  /// answers requests for it.
  void arm_bell(KeptLock& kept);
  /// Calls `arm_bell` if this host holds the lock and has no bell for it. For example, another host
  /// had the bell open when the VM started.
  void arm_missing_bell(KeptLock& kept);
  /// If this lock is shared for a migration, queries libvirt about it: each second while the
  /// migration runs, and then each 200 ms until this host has EX again.
  void follow_migration(KeptLock& kept);

 private:
  /// What libvirt reported about a VM, and when.
  struct LibvirtReply {
    VmState state;
    lock_operations::JobBegin at;       ///< when the reply came
    std::chrono::milliseconds took{0};  ///< time from the query to the reply

    [[nodiscard]] lock_operations::JobBegin job_began() const { return at - state.job_age; }
  };
  [[nodiscard]] std::optional<LibvirtReply> ask_libvirt(const dlmfs::Uuid& uuid);
  /// Reads libvirt's status file if libvirt's daemon does not answer. Returns an outgoing migration
  /// whose target may be preparing now, or for which the lock is shared; nullopt otherwise.
  [[nodiscard]] std::optional<LibvirtReply> read_status_file(const KeptLock& kept) const;

  void bell_requested(const dlmfs::Uuid& uuid);
  void answer_bell(KeptLock& kept, const std::optional<LibvirtReply>& reply);
  void write_bell(KeptLock& kept, Holder::State state, Holder::Job job = {});
  void hand_over(KeptLock& kept, const LibvirtReply& reply);
  [[nodiscard]] static bool was_handed_over(const KeptLock& kept, const Record& record,
                                            const LibvirtReply& reply);
  void read_reply_slot(KeptLock& kept, const Holder& slot);

  void on_lock_requested(const dlmfs::Uuid& uuid);
  void log_queued(const Vm& vm);
  void share_for_late_request(KeptLock& kept);

  void poll_migration(const dlmfs::Uuid& uuid);
  [[nodiscard]] bool migration_over(const KeptLock& kept, const LibvirtReply& reply) const;
  void regain(KeptLock& kept);
  void on_still_shared(KeptLock& kept);
  void probe_other_holder(KeptLock& kept);

  const Context& context_;
  Hypervisor& hypervisor_;
  Loop& loop_;
  KeptLocks& locks_;
  Conflicts& conflicts_;
};

}  // namespace guard
