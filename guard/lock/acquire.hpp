#pragma once

#include "dlmfs/remove_lock.hpp"
#include "guard/host/incoming_migration.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "guard/lock/acquire_result.hpp"
#include "guard/system/abandonable_call.hpp"

namespace guard {

/// What a VM's lock is acquired for.
enum class Purpose {
  start,  ///< a VM that is about to start; nothing of its last run may be alive here
  keep,   ///< a VM that this host has acquired the lock for, and that may run
};

/// Joins the domains of locks and bells.
[[nodiscard]] Result<void> join_domains(dlmfs::Mount& mount, const Domains& domains);

/// The call that acquires a VM's lock: EX by trylock only, since a queued request would take the
/// lock from a holder that has closed it. If the start is an incoming migration and the holder
/// grants a hand-over: PR beside the holder's.
class Acquire final : public AbandonableCall {
 public:
  /// `record`: this host's, if it acquired the lock before. `announcement`: libvirt has announced
  /// the start as an incoming migration. All references must outlive this.
  Acquire(const Context& context, KeeperClient& keeper, const Vm& vm, Purpose purpose,
          const std::optional<Record>& record, Deadline deadline,
          std::optional<IncomingMigration> announcement = std::nullopt);

  [[nodiscard]] const Vm& vm() const { return vm_; }
  [[nodiscard]] Purpose purpose() const { return purpose_; }
  /// When the lock was taken, as others are told: now, unless it is kept.
  [[nodiscard]] std::chrono::sys_seconds since() const { return since_; }

  using Interim = std::function<void(const AcquireResult&)>;
  /// Acquires the lock. Calls `interim` with `asking_holder` before it asks the holder for its
  /// name, which may sleep. Every call into dlmfs may sleep while the cluster evicts a host.
  [[nodiscard]] AcquireResult acquire(const Interim& interim = [](const AcquireResult&) {});

  void run(const Send& send) override;
  /// Unlocks what was granted, unless the VM runs.
  void clean_up() override;

 private:
  using HolderResult = Result<std::optional<Holder>>;

  [[nodiscard]] AcquireResult attempt(const Interim& interim);
  [[nodiscard]] AcquireResult granted(dlmfs::Mount& mount, dlmfs::OpenLock lock);
  [[nodiscard]] AcquireResult denied(dlmfs::Mount& mount, bool file_is_ours,
                                     const Interim& interim);
  [[nodiscard]] std::optional<AcquireResult> still_shared(dlmfs::Mount& mount);
  [[nodiscard]] AcquireResult ask_for_hand_over(dlmfs::Mount& mount,
                                                const IncomingMigration& announcement);
  [[nodiscard]] AcquireResult share(dlmfs::Mount& mount, Holder holder);
  [[nodiscard]] bool holder_unknown(const HolderResult& holder) const;
  [[nodiscard]] static bool may_change(const HolderResult& holder);
  [[nodiscard]] HolderResult ask_until_named(int tries,
                                             const std::function<HolderResult()>& ask) const;
  [[nodiscard]] HolderResult confirm_hand_over(dlmfs::Mount& mount);
  void remove_denied(dlmfs::Mount& mount) const;
  [[nodiscard]] Result<dlmfs::OpenLock> trylock_twice(dlmfs::Mount& mount, bool file_is_ours) const;
  [[nodiscard]] Bell bell(dlmfs::Mount& mount) const {
    return {mount, context_.cluster.domains(record_).bells, name_, context_.cluster.pause};
  }

  const Context& context_;
  KeeperClient& keeper_;
  const Vm& vm_;
  dlmfs::LockName name_;
  Purpose purpose_;
  const std::optional<Record>& record_;
  std::chrono::sys_seconds since_;
  Deadline deadline_;
  std::optional<IncomingMigration> announcement_;
  AcquireResult result_;
};

/// Waits for the result of a pending Acquire. At the deadline: the interim result if there was one,
/// else `no_answer`; the call is abandoned then.
[[nodiscard]] AcquireResult wait_for_result(PendingCall& pending, const Deadline& deadline);

}  // namespace guard
