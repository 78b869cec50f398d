#pragma once

#include <map>
#include <mutex>

#include "dlmfs/lock_name.hpp"
#include "dlmfs/mount.hpp"

namespace guard {

/// The service manager's file descriptor store, as the keeper uses it. What is stored there stays
/// open while the keeper restarts, so a request that another host queues meanwhile is not granted.
class FdStore {
 public:
  virtual ~FdStore() = default;

  /// Stores the VM's open lock and replaces one that was stored at another level. Blocks only while
  /// the socket of the service manager is full, as sd_notify(3) does. If this fails, the keeper
  /// opens the lock again after a restart, as without a store.
  virtual void store(const dlmfs::LockName& name, const dlmfs::OpenLock& lock) = 0;

  /// Tells the service manager to close the descriptor that it has stored for a VM, if any. Call
  /// this before the lock is lowered or its file is unlinked. Blocks up to half a second. Callable
  /// from any thread. On failure, the descriptor may still be open there.
  [[nodiscard]] virtual Result<void> remove(const dlmfs::LockName& name) = 0;

  /// Returns the locks that an earlier process of this service has stored. They stay stored. Call
  /// this once.
  [[nodiscard]] virtual std::map<dlmfs::LockName, dlmfs::OpenLock> take_stored() = 0;
};

/// For use without a service manager, and for locks that need not stay open longer than this
/// process runs.
class NoFdStore final : public FdStore {
 public:
  void store(const dlmfs::LockName&, const dlmfs::OpenLock&) override {}
  [[nodiscard]] Result<void> remove(const dlmfs::LockName&) override { return {}; }
  [[nodiscard]] std::map<dlmfs::LockName, dlmfs::OpenLock> take_stored() override { return {}; }
};

/// The store of systemd: sd_pid_notify_with_fds(3) with FDSTORE=1, FDSTOREREMOVE=1 and FDNAME=,
/// which is the name of the lock, and sd_listen_fds_with_names(3). Does nothing without
/// NOTIFY_SOCKET.
///
/// After FDSTOREREMOVE=1, sd_notify_barrier(3) waits until systemd has read it. Since version 254,
/// systemd closes the descriptor outside its event loop, so the descriptor may stay open for some
/// milliseconds more (asynchronous_close in src/shared/async.c). Then an unlink fails with EBUSY
/// and is retried. A level is lowered as soon as that descriptor is closed.
class SystemdFdStore final : public FdStore {
 public:
  void store(const dlmfs::LockName& name, const dlmfs::OpenLock& lock) override;
  [[nodiscard]] Result<void> remove(const dlmfs::LockName& name) override;
  /// Returns the inherited descriptors that are open locks. Closes the other ones and removes them
  /// from the store.
  [[nodiscard]] std::map<dlmfs::LockName, dlmfs::OpenLock> take_stored() override;

 private:
  std::mutex mutex_;
  std::map<dlmfs::LockName, dlmfs::Level> stored_;  ///< what this process has stored or inherited
};

}  // namespace guard
