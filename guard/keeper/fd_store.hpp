#pragma once

#include <map>
#include <mutex>

#include "dlmfs/lock_name.hpp"
#include "dlmfs/mount.hpp"

namespace guard {

/// The service manager's file descriptor store, as far as the keeper uses it: what is stored there
/// stays open while the keeper is restarted, so that a request which another host has queued
/// meanwhile is not granted.
class FdStore {
 public:
  virtual ~FdStore() = default;

  /// Stores the VM's open lock in place of one stored before at another level. Sleeps only while
  /// the service manager does not read its socket and that is full, as sd_notify(3) does. Where it
  /// fails, the lock is opened again after a restart, as without a store.
  virtual void store(const dlmfs::LockName& name, const dlmfs::OpenLock& lock) = 0;

  /// Has the service manager close what is stored of a VM, if anything is. To be called before the
  /// lock is lowered or its file is unlinked. Sleeps for up to half a second; from any thread. An
  /// error: it may still be open there.
  [[nodiscard]] virtual Result<void> remove(const dlmfs::LockName& name) = 0;

  /// What an earlier process of this service has stored; once. It stays stored.
  [[nodiscard]] virtual std::map<dlmfs::LockName, dlmfs::OpenLock> take_stored() = 0;
};

/// Where there is no service manager, or nothing to keep open for longer than this process runs.
class NoFdStore final : public FdStore {
 public:
  void store(const dlmfs::LockName&, const dlmfs::OpenLock&) override {}
  [[nodiscard]] Result<void> remove(const dlmfs::LockName&) override { return {}; }
  [[nodiscard]] std::map<dlmfs::LockName, dlmfs::OpenLock> take_stored() override { return {}; }
};

/// systemd's: sd_pid_notify_with_fds(3) with FDSTORE=1, FDSTOREREMOVE=1 and FDNAME=, the lock's
/// name; and sd_listen_fds_with_names(3). Without NOTIFY_SOCKET it does nothing.
///
/// After FDSTOREREMOVE=1 sd_notify_barrier(3) waits until systemd has read it. From version 254 on
/// systemd closes the descriptor beside its own loop, so it may stay open for some milliseconds
/// more (asynchronous_close in src/shared/async.c): an unlink then fails with EBUSY, and is tried
/// again; a lock that is lowered is so when that descriptor is closed.
class SystemdFdStore final : public FdStore {
 public:
  void store(const dlmfs::LockName& name, const dlmfs::OpenLock& lock) override;
  [[nodiscard]] Result<void> remove(const dlmfs::LockName& name) override;
  /// Of the descriptors handed down those that are open locks; the others are closed and removed.
  [[nodiscard]] std::map<dlmfs::LockName, dlmfs::OpenLock> take_stored() override;

 private:
  std::mutex mutex_;
  std::map<dlmfs::LockName, dlmfs::Level> stored_;  ///< as far as this process has asked for it
};

}  // namespace guard
