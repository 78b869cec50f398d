#pragma once

#include <chrono>
#include <functional>
#include <sys/types.h>

#include "guard/host/vm.hpp"
#include "guard/state/state_directory.hpp"

namespace guard {

/// One announcement of an incoming migration.
struct IncomingMigration {
  std::chrono::milliseconds written;  ///< time since boot, including suspend

  /// Returns how long ago libvirt announced the migration. The migration itself began earlier, on
  /// the source host.
  [[nodiscard]] std::chrono::milliseconds age() const;
  /// Returns true if the announcement is younger than `window`.
  [[nodiscard]] bool counts(std::chrono::milliseconds window) const;
};

/// The caller of the hook: libvirt's daemon and its thread that runs the hook. libvirt announces
/// and starts an incoming migration in one thread, within one libvirt API call.
struct Caller {
  pid_t daemon = 0;
  std::function<pid_t()> thread;            ///< returns 0 if the thread is unknown
  std::function<pid_t()> parent = nullptr;  ///< returns the current parent; null: unchanged

  /// Returns true if the daemon that made this call has ended. Then no process waits for the
  /// result, and a new daemon may call the hook for the same VM.
  [[nodiscard]] bool gone() const { return daemon == 1 || (parent && parent() != daemon); }
};

/// The announcements of incoming migrations. The hook writes one at libvirt's operation `migrate`;
/// the start that follows is an incoming migration. libvirt calls `migrate` before its own "already
/// active" check, and if that check fails, no start follows. So an announcement is valid only for a
/// short time, for one start, and for the caller that wrote it.
class IncomingMigrations {
 public:
  explicit IncomingMigrations(const StateDirectory& directory) : directory_(directory) {}

  [[nodiscard]] Result<void> write(const dlmfs::Uuid& uuid, const Caller& caller) const;
  /// Removes the VM's announcement, and returns it if this caller wrote it and it is younger than
  /// `window`. Otherwise, or if the announcement cannot be removed, returns nullopt.
  [[nodiscard]] std::optional<IncomingMigration> consume(const dlmfs::Uuid& uuid,
                                                         const Caller& caller,
                                                         std::chrono::milliseconds window) const;

  /// Removes the VM's announcement, whichever caller wrote it. Succeeds if there is none. If it
  /// cannot be removed, `consume` does not accept it either, because `consume` removes it first.
  [[nodiscard]] Result<void> discard(const dlmfs::Uuid& uuid) const;

  /// Removes all announcements that are older than `window` or not readable.
  void sweep(std::chrono::milliseconds window) const;

 private:
  const StateDirectory& directory_;
};

}  // namespace guard
