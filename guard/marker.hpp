#pragma once

#include <chrono>
#include <sys/types.h>

#include "guard/state_directory.hpp"
#include "guard/vm.hpp"

namespace guard {

/// The trace of libvirt's `migrate` call: the start that follows is an incoming migration. The call
/// comes before libvirt's own "already active" check, and when that fails no start follows; so a
/// marker counts for a short time only, for one start, and for the daemon that wrote it.
class Markers {
 public:
  explicit Markers(const StateDirectory& directory) : directory_(directory) {}

  [[nodiscard]] Result<void> write(const dlmfs::Uuid& uuid, pid_t daemon) const;
  /// Uses up the marker, whatever its age. True: there was one of this daemon's, younger than
  /// `window`.
  [[nodiscard]] bool use_up(const dlmfs::Uuid& uuid, pid_t daemon,
                            std::chrono::milliseconds window) const;

 private:
  const StateDirectory& directory_;
};

}  // namespace guard
