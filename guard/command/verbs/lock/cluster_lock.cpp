#include "guard/command/verbs/lock/cluster_lock.hpp"

#include "dlmfs/remove_lock.hpp"

namespace guard::command {

// A race with an unlink on this host would also give ETXTBSY. It cannot happen: processes that
// unlink and processes that try have the same flock.
Result<bool> ClusterLock::try_once() {
  auto mount = open_checked_mount_();
  if (!mount) return fail(std::move(mount).error());
  if (auto joined = guard::join(**mount, domain_); !joined) return fail(std::move(joined).error());
  auto taken = (*mount)->trylock(domain_, name_, dlmfs::Level::exclusive);
  if (taken) {
    mount_ = std::move(*mount);
    pin_ = std::move(*taken);
    return true;
  }
  // The file that the trylock leaves would look like a held lock in `ls`.
  std::ignore = dlmfs::remove_lock(**mount, domain_, name_, dlmfs::Standing::unknown,
                                   [](std::chrono::milliseconds) {});
  if (dlmfs::denied(taken.error())) return false;
  return fail(std::move(taken).error());
}

Result<void> ClusterLock::unlock() {
  pin_.reset();
  return mount_ ? mount_->unlink(domain_, name_) : Result<void>();
}

}  // namespace guard::command
