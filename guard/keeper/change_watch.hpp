#pragma once

#include <filesystem>
#include <functional>

#include "guard/keeper/event_loop.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {

/// Calls a check when something on this host may have changed: a file in a directory was created,
/// written, removed or renamed, or a file system was mounted or unmounted. While nothing changes,
/// it does not wake the process up. Use it only in the thread of the loop.
class ChangeWatch {
 public:
  /// Returns true if the check is to be called again after the delay even without a change.
  using Check = std::function<bool()>;

  /// Calls `check` for the first time after `delay`, and then this long after a change, so that
  /// many changes cause one call. If the kernel has no inotify instance left (inotify_init(2),
  /// EMFILE), calls `check` again and again with this delay.
  ChangeWatch(EventLoop& loop, const std::filesystem::path& directory,
              std::chrono::milliseconds delay, Check check);

 private:
  void check_soon();
  void check_now();

  EventLoop& loop_;
  std::chrono::milliseconds delay_;
  Check check_;
  UniqueFd files_, mounts_;
  Loop::Handle files_watch_, mounts_watch_, timer_;
};

}  // namespace guard
