#pragma once

#include "guard/errand.hpp"
#include "guard/world.hpp"

namespace guard {

/// What a VM's lock is taken for.
enum class Purpose {
  start,  ///< a VM that is about to start; nothing of it may run here yet
  keep,   ///< a VM that this host took the lock for, and that may run
};

/// The errand that takes a VM's lock: EX by trylock only, since a queued request would take the
/// lock away from a holder that has closed it.
class Take final : public Errand {
 public:
  /// `record`: what this host remembers of having taken the lock before.
  Take(const World& world, const Vm& vm, Purpose purpose, const std::optional<Record>& record);

  [[nodiscard]] const Vm& vm() const { return vm_; }
  [[nodiscard]] Purpose purpose() const { return purpose_; }
  /// When the lock was taken, as others are told: now, unless it is kept.
  [[nodiscard]] std::chrono::sys_seconds since() const { return since_; }

  [[nodiscard]] Answer run(const Tell& interim) override;
  void clean_up(const Answer& answer) override;

 private:
  [[nodiscard]] Answer granted(dlmfs::Mount& mount) const;
  [[nodiscard]] Answer denied(dlmfs::Mount& mount, bool file_is_ours, const Tell& interim) const;
  [[nodiscard]] Result<void> try_twice(dlmfs::Mount& mount, bool file_is_ours) const;

  const World& world_;
  const Vm& vm_;
  dlmfs::LockName name_;
  Purpose purpose_;
  const std::optional<Record>& record_;
  std::chrono::sys_seconds since_;
};

}  // namespace guard
