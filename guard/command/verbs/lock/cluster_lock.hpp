#pragma once

#include <memory>
#include <optional>

#include "guard/lock/context.hpp"

namespace guard::command {

/// One exclusive lock of this host, from the first try until it is unlocked. Every call may sleep
/// unkillably while the cluster evicts a host, so LockHolderProcess makes the calls.
class ClusterLock {
 public:
  ClusterLock(ClusterAccess::OpenMount open_checked_mount, dlmfs::DomainName domain,
              dlmfs::Name name)
      : open_checked_mount_(std::move(open_checked_mount)),
        domain_(std::move(domain)),
        name_(std::move(name)) {}

  /// Tries once to acquire the lock, and returns true if it is granted. Joins the domain if this
  /// host has not joined it. Uses a trylock only: a queued request would lower the lock of a holder
  /// that has closed its file, and the process that waits for it could not be killed. Fails if this
  /// host cannot acquire cluster locks. Checks the cluster at each call, and keeps nothing open
  /// between calls, so a waiting process does not prevent an unmount of dlmfs.
  [[nodiscard]] Result<bool> try_once();

  /// Unlocks. EBUSY: another process on this host has the file open. Succeeds if nothing is
  /// granted.
  [[nodiscard]] Result<void> unlock();

 private:
  ClusterAccess::OpenMount open_checked_mount_;
  dlmfs::DomainName domain_;
  dlmfs::Name name_;
  std::unique_ptr<dlmfs::Mount> mount_;  // set while the lock is granted
  // Open while the lock is granted: another host cannot lower the level of an open lock.
  std::optional<dlmfs::OpenLock> pin_;
};

}  // namespace guard::command
