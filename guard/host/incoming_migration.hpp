#pragma once

#include <chrono>
#include <functional>
#include <sys/types.h>

#include "guard/host/state_directory.hpp"
#include "guard/host/vm.hpp"

namespace guard {

/// One announced migration, by the clock of this host.
struct IncomingMigration {
  std::chrono::milliseconds written;  ///< after boot, suspend included

  /// How long ago libvirt announced it. The migration itself is older: it began on its source.
  [[nodiscard]] std::chrono::milliseconds age() const;
  [[nodiscard]] bool counts(std::chrono::milliseconds window) const;
};

/// Who runs the hook: libvirt's daemon, and that thread of it which makes the call. An incoming
/// migration is announced and started by one thread, in one call of libvirt's.
struct Caller {
  pid_t daemon = 0;
  std::function<pid_t()> thread;            ///< 0: it can't be told
  std::function<pid_t()> parent = nullptr;  ///< of this process, now; none: as at its start

  /// Whether the daemon that made this call has ended: nobody waits for its result, and the daemon
  /// that has taken its place makes calls of its own for the same VM.
  [[nodiscard]] bool gone() const { return daemon == 1 || (parent && parent() != daemon); }
};

/// The trace of libvirt's `migrate` call: the start that follows is an incoming migration. The call
/// comes before libvirt's own "already active" check, and when that fails no start follows; so a
/// marker counts for a short time only, for one start, and for the caller that wrote it.
class IncomingMigrations {
 public:
  explicit IncomingMigrations(const StateDirectory& directory) : directory_(directory) {}

  [[nodiscard]] Result<void> write(const dlmfs::Uuid& uuid, const Caller& caller) const;
  /// Uses up the marker, whatever its age. Nothing: there was none of this caller's, younger than
  /// `window`.
  [[nodiscard]] std::optional<IncomingMigration> consume(const dlmfs::Uuid& uuid,
                                                         const Caller& caller,
                                                         std::chrono::milliseconds window) const;

  /// Removes the marker of any caller. Success if there is none. One that cannot be removed
  /// counts for nothing in `use_up` either, which has to remove it as well.
  [[nodiscard]] Result<void> discard(const dlmfs::Uuid& uuid) const;

  /// Removes what counts for nothing any more.
  void sweep(std::chrono::milliseconds window) const;

 private:
  [[nodiscard]] std::optional<IncomingMigration> read(const std::string& file,
                                                      const Caller* caller) const;
  const StateDirectory& directory_;
};

}  // namespace guard
