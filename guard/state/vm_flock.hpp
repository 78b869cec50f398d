#pragma once

#include "dlmfs/lock_name.hpp"
#include "guard/state/flock.hpp"
#include "guard/system/deadline.hpp"

namespace guard {

/// A flock per VM that serializes what the hook, the service and commands do with this VM's lock
/// and bell on this host; only the bell of a lock that this host holds is the service's alone. Hook
/// calls for different VMs never wait for each other. An abandoned child process that waits for the
/// cluster has the flock, so a second attempt cannot overtake the first.
class VmFlock {
 public:
  /// Acquires the flock. Waits until `deadline` for a running operation, but not for an abandoned
  /// attempt that waits for the cluster. EWOULDBLOCK: another process holds the flock. The message
  /// says which process, and since when.
  [[nodiscard]] static Result<VmFlock> acquire(const StateDirectory& directory,
                                               const dlmfs::Uuid& uuid,
                                               const std::string& operation,
                                               const Deadline& deadline);

  /// Writes to the file that this attempt still waits for the cluster although its hook has ended.
  /// Later attempts read it.
  void mark_abandoned() const;

  /// Removes the file and releases the flock. Call this only if no other process shares the flock.
  void dissolve() &&;

 private:
  VmFlock(Flock flock, std::string holder) : flock_(std::move(flock)), holder_(std::move(holder)) {}

  Flock flock_;
  std::string holder_;  ///< the text in the file about this process
};

}  // namespace guard
