#include "guard/keeper/keeper.hpp"

#include <algorithm>
#include <sys/stat.h>

#include <fmt/format.h>

namespace guard {

void Keeper::keep(const Vm& vm, Pins pins) {
  KeptLock& kept = locks_.find_or_add(vm);
  kept.vm = vm;
  kept.still_shared_since.reset();
  kept.queued_logged = false;
  kept.acquired.reset();
  locks_.put(kept, std::move(pins));
  hand_overs_.follow_migration(kept);
  hand_overs_.arm_missing_bell(kept);
}

std::optional<dlmfs::Level> Keeper::level(const Vm& vm) const {
  const KeptLock* kept = locks_.find(vm.uuid);
  return kept == nullptr ? std::nullopt : kept->level();
}

std::vector<KeeperClient::KeptLockInfo> Keeper::kept() {
  std::vector<KeeperClient::KeptLockInfo> all;
  all.reserve(locks_.size());
  for (const auto& [uuid, kept] : locks_) {
    auto open = kept->level();
    if (!open) continue;
    if (!kept->acquired) {  // the hook writes the record after it has passed the lock to the keeper
      if (auto record = context_.host.load_record(kept->vm))
        kept->acquired.emplace(record->since, record->origin);
    }
    auto [since, how] =
        kept->acquired.value_or(std::pair(std::chrono::sys_seconds(), Origin::start));
    all.push_back({kept->vm, *open, since, how});
  }
  return all;
}

std::size_t Keeper::count() const {
  return static_cast<std::size_t>(
      std::count_if(locks_.begin(), locks_.end(),
                    [](const auto& entry) { return entry.second->level().has_value(); }));
}

std::size_t Keeper::count_outside(dev_t device) const {
  return static_cast<std::size_t>(
      std::count_if(locks_.begin(), locks_.end(), [device](const auto& entry) {
        struct stat found = {};
        const auto& lock = entry.second->pins.lock;
        return lock && ::fstat(lock->fd.get(), &found) == 0 && found.st_dev != device;
      }));
}

std::string Keeper::status() const {
  return fmt::format("keeping {} lock{}{}", count(), count() == 1 ? "" : "s",
                     reconciler_.troubles());
}

}  // namespace guard
