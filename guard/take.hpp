#pragma once

#include "dlmfs/remove.hpp"
#include "guard/errand.hpp"
#include "guard/marker.hpp"
#include "guard/world.hpp"

namespace guard {

/// What a VM's lock is taken for.
enum class Purpose {
  start,  ///< a VM that is about to start; nothing of it may run here yet
  keep,   ///< a VM that this host took the lock for, and that may run
};

/// Joins the domains of locks and bells.
[[nodiscard]] Result<void> join_both(dlmfs::Mount& mount, const Domains& domains);

/// The errand that takes a VM's lock: EX by trylock only, since a queued request would take the
/// lock away from a holder that has closed it. Where the start is an incoming migration and the
/// lock's holder hands it over, PR beside the holder's.
class Take final : public Errand {
 public:
  /// `record`: what this host remembers of having taken the lock before. `marker`: libvirt has
  /// announced the start as an incoming migration.
  Take(const World& world, KeeperLine& keeper, const Vm& vm, Purpose purpose,
       const std::optional<Record>& record, std::optional<Marker> marker = std::nullopt);

  [[nodiscard]] const Vm& vm() const { return vm_; }
  [[nodiscard]] Purpose purpose() const { return purpose_; }
  /// When the lock was taken, as others are told: now, unless it is kept.
  [[nodiscard]] std::chrono::sys_seconds since() const { return since_; }

  [[nodiscard]] Answer run(const Tell& interim) override;
  void clean_up(const Answer& answer) override;

 private:
  using Asked = Result<std::optional<Holder>>;

  [[nodiscard]] Answer granted(dlmfs::Mount& mount, dlmfs::OpenLock lock);
  [[nodiscard]] Answer denied(dlmfs::Mount& mount, bool file_is_ours, const Tell& interim);
  [[nodiscard]] std::optional<Answer> still_shared(dlmfs::Mount& mount);
  [[nodiscard]] Answer ask_for_hand_over(dlmfs::Mount& mount, const Marker& marker);
  [[nodiscard]] Answer share(dlmfs::Mount& mount, Holder holder);
  [[nodiscard]] bool nobody_says(const Asked& holder) const;
  [[nodiscard]] static bool may_change(const Asked& holder);
  [[nodiscard]] Asked until_told(int tries, const std::function<Asked()>& ask) const;
  [[nodiscard]] Asked ask_again(dlmfs::Mount& mount);
  void remove_denied(dlmfs::Mount& mount) const;
  [[nodiscard]] Result<dlmfs::OpenLock> try_twice(dlmfs::Mount& mount, bool file_is_ours) const;
  [[nodiscard]] Bell bell(dlmfs::Mount& mount) const {
    return {mount, world_.domains(record_).bells, name_, world_.pause};
  }

  const World& world_;
  KeeperLine& keeper_;
  const Vm& vm_;
  dlmfs::LockName name_;
  Purpose purpose_;
  const std::optional<Record>& record_;
  std::optional<Marker> marker_;
  std::chrono::sys_seconds since_;
};

}  // namespace guard
