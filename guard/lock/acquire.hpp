#pragma once

#include "dlmfs/remove_lock.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "guard/lock/acquire_result.hpp"
#include "guard/state/incoming_migration.hpp"
#include "guard/system/abandonable_call.hpp"

namespace guard {

/// The purpose for which a VM's lock is acquired.
enum class Purpose {
  start,       ///< the VM is about to start; its last run on this host must be over
  vm_may_run,  ///< the VM may run on this host; this host may already hold the lock
};

/// The call that acquires a VM's lock. It requests EX by trylock only, never by a queued request: a
/// queued request takes the lock from a holder that has its file closed, which is so where no
/// keeper runs. If the start is an incoming migration and the holder grants a hand-over, it
/// acquires PR, which it shares with the holder.
class Acquire final : public AbandonableCall {
 public:
  /// `record`: this host's record, if it acquired the lock before. `deadline`: limits the retries
  /// while the holder cannot answer a request for a hand-over yet. `announcement`: set if libvirt
  /// has announced the start as an incoming migration. All references must outlive this object.
  Acquire(const Context& context, KeeperClient& keeper, const Vm& vm, Purpose purpose,
          const std::optional<Record>& record, Deadline deadline,
          std::optional<IncomingMigration> announcement = std::nullopt);

  [[nodiscard]] const Vm& vm() const { return vm_; }
  [[nodiscard]] Purpose purpose() const { return purpose_; }
  /// Returns when this host acquired the lock, by its own clock; other hosts read it in the bell.
  /// This is the time of the record for Purpose::vm_may_run, or else the time of construction.
  [[nodiscard]] std::chrono::sys_seconds since() const { return since_; }

  using Interim = std::function<void(const AcquireResult&)>;
  /// Acquires the lock. Calls `interim` with `asking_holder` before it asks the holder for its
  /// name, which may sleep. Every call into dlmfs may sleep unkillably while the cluster evicts a
  /// host. So the hook calls this in a child process, and the keeper on a worker thread.
  [[nodiscard]] AcquireResult acquire(const Interim& interim = [](const AcquireResult&) {});

  void run(const Send& send) override;
  /// Unlocks what was granted. Keeps the lock if this host held it before, or if the VM may run; in
  /// the second case it writes the missing record.
  void clean_up() override;

 private:
  using HolderResult = Result<std::optional<Holder>>;

  [[nodiscard]] AcquireResult attempt(const Interim& interim);
  [[nodiscard]] AcquireResult granted(dlmfs::Mount& mount, dlmfs::OpenLock lock);
  [[nodiscard]] AcquireResult denied(dlmfs::Mount& mount, bool file_is_ours,
                                     const Interim& interim);
  [[nodiscard]] std::optional<AcquireResult> last_run_before_start() const;
  [[nodiscard]] std::optional<AcquireResult> still_shared(dlmfs::Mount& mount);
  [[nodiscard]] AcquireResult ask_for_hand_over(dlmfs::Mount& mount,
                                                const IncomingMigration& announcement);
  [[nodiscard]] AcquireResult share(dlmfs::Mount& mount, Holder holder,
                                    const IncomingMigration& announcement);
  [[nodiscard]] bool holder_unknown(const HolderResult& holder) const;
  [[nodiscard]] static bool may_change(const HolderResult& holder);
  [[nodiscard]] HolderResult ask_until_named(int tries,
                                             const std::function<HolderResult()>& ask) const;
  [[nodiscard]] HolderResult confirm_hand_over(dlmfs::Mount& mount,
                                               const IncomingMigration& announcement);
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

/// Waits for the result of a pending Acquire, at most until `deadline`. At the deadline, the call
/// is abandoned, and this returns the interim result if there was one, or else `no_answer`.
[[nodiscard]] AcquireResult wait_for_result(PendingCall& pending, const Deadline& deadline);

}  // namespace guard
