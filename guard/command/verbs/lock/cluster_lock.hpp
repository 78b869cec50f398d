#pragma once

#include <memory>
#include <optional>

#include "guard/lock/context.hpp"

namespace guard::command {

/// One exclusive lock of this host, from the first try until it is given back. Every call can
/// sleep, unkillable, for as long as the cluster likes.
class ClusterLock {
 public:
  ClusterLock(ClusterAccess::OpenMount open_checked_mount, dlmfs::DomainName domain,
              dlmfs::Name name)
      : open_checked_mount_(std::move(open_checked_mount)),
        domain_(std::move(domain)),
        name_(std::move(name)) {}

  /// Whether the lock is granted; joins the domain if need be. Only ever asks without queueing: a
  /// queued request would take the lock from a holder that has it closed, and could not be killed.
  /// The error says what keeps this host from taking cluster locks. The ground is looked at anew
  /// each time, and left alone in between: one who waits keeps nobody from unmounting dlmfs.
  [[nodiscard]] Result<bool> try_once();

  /// Drops the lock. EBUSY: another process on this host has its file open. Nothing granted is
  /// success.
  [[nodiscard]] Result<void> unlock();

 private:
  ClusterAccess::OpenMount open_checked_mount_;
  dlmfs::DomainName domain_;
  dlmfs::Name name_;
  std::unique_ptr<dlmfs::Mount> mount_;  // while it is granted
  // Open the whole time: what is open no careless open on another host can take away.
  std::optional<dlmfs::OpenLock> pin_;
};

}  // namespace guard::command
