#pragma once

#include "dlmfs/lock_name.hpp"
#include "guard/host/flock.hpp"
#include "guard/system/deadline.hpp"

namespace guard {

/// What keeps hooks for one VM on this host apart; hooks for different VMs never wait on each
/// other. A child left waiting for the cluster inherits it, so that no second attempt overtakes the
/// first.
class VmFlock {
 public:
  /// Waits until `deadline` for a hook that is still at work; not at all for one that was left
  /// waiting for the cluster. EWOULDBLOCK: taken; the message tells by whom and since when.
  [[nodiscard]] static Result<VmFlock> acquire(const StateDirectory& directory,
                                               const dlmfs::Uuid& uuid,
                                               const std::string& operation,
                                               const Deadline& deadline);

  /// Tells later comers that this attempt still waits for the cluster, though its hook has ended.
  void left_waiting() const;

  /// Removes the file too. Only while this is the only process that has it.
  void dissolve() &&;

 private:
  VmFlock(Flock flock, std::string holder) : flock_(std::move(flock)), holder_(std::move(holder)) {}

  Flock flock_;
  std::string holder_;  ///< what the file says about this process
};

}  // namespace guard
