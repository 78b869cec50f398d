#pragma once

#include "dlmfs/remove_lock.hpp"
#include "guard/host/incoming_migration.hpp"
#include "guard/lock/abandonable_call.hpp"
#include "guard/lock/world.hpp"

namespace guard {

/// What a VM's lock is taken for.
enum class Purpose {
  start,  ///< a VM that is about to start; nothing of it may run here yet
  keep,   ///< a VM that this host took the lock for, and that may run
};

/// Joins the domains of locks and bells.
[[nodiscard]] Result<void> join_domains(dlmfs::Mount& mount, const Domains& domains);

/// The errand that takes a VM's lock: EX by trylock only, since a queued request would take the
/// lock away from a holder that has closed it. Where the start is an incoming migration and the
/// lock's holder hands it over, PR beside the holder's.
class Acquire final : public AbandonableCall {
 public:
  /// `record`: what this host remembers of having taken the lock before. `marker`: libvirt has
  /// announced the start as an incoming migration.
  Acquire(const World& world, KeeperClient& keeper, const Vm& vm, Purpose purpose,
          const std::optional<Record>& record,
          std::optional<IncomingMigration> marker = std::nullopt);

  [[nodiscard]] const Vm& vm() const { return vm_; }
  [[nodiscard]] Purpose purpose() const { return purpose_; }
  /// When the lock was taken, as others are told: now, unless it is kept.
  [[nodiscard]] std::chrono::sys_seconds since() const { return since_; }

  [[nodiscard]] Answer run(const Tell& interim) override;
  void clean_up(const Answer& answer) override;

 private:
  using HolderResult = Result<std::optional<Holder>>;

  [[nodiscard]] Answer granted(dlmfs::Mount& mount, dlmfs::OpenLock lock);
  [[nodiscard]] Answer denied(dlmfs::Mount& mount, bool file_is_ours, const Tell& interim);
  [[nodiscard]] std::optional<Answer> still_shared(dlmfs::Mount& mount);
  [[nodiscard]] Answer ask_for_hand_over(dlmfs::Mount& mount, const IncomingMigration& marker);
  [[nodiscard]] Answer share(dlmfs::Mount& mount, Holder holder);
  [[nodiscard]] bool holder_unknown(const HolderResult& holder) const;
  [[nodiscard]] static bool may_change(const HolderResult& holder);
  [[nodiscard]] HolderResult ask_until_named(int tries,
                                             const std::function<HolderResult()>& ask) const;
  [[nodiscard]] HolderResult confirm_hand_over(dlmfs::Mount& mount);
  void remove_denied(dlmfs::Mount& mount) const;
  [[nodiscard]] Result<dlmfs::OpenLock> trylock_twice(dlmfs::Mount& mount, bool file_is_ours) const;
  [[nodiscard]] Bell bell(dlmfs::Mount& mount) const {
    return {mount, world_.domains(record_).bells, name_, world_.pause};
  }

  const World& world_;
  KeeperClient& keeper_;
  const Vm& vm_;
  dlmfs::LockName name_;
  Purpose purpose_;
  const std::optional<Record>& record_;
  std::optional<IncomingMigration> marker_;
  std::chrono::sys_seconds since_;
};

}  // namespace guard
