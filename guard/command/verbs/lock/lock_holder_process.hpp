#pragma once

#include <optional>
#include <string>

#include "guard/command/verbs/lock/cluster_lock.hpp"
#include "guard/state/flock.hpp"

namespace guard::command {

/// What a LockHolderProcess reports.
struct HolderMessage {
  enum class Kind {
    denied,    ///< another host holds the lock; the process tries again
    granted,   ///< the lock is acquired; the process waits for the program
    busy,      ///< the unlock failed with EBUSY: `why`; the process tries again
    failed,    ///< last message: it cannot acquire or unlock: `why`
    unlocked,  ///< last message
  };
  Kind kind = Kind::failed;
  std::string why = {};
};

/// A process that acquires a cluster lock, keeps its file open while a program runs, and unlocks
/// when the program has ended, even if `start-guard lock` was killed. close(2) does not unlock in
/// dlmfs, so this process must outlive both. A call into dlmfs can sleep for a minute, and SIGKILL
/// does not interrupt it. Then `start-guard lock` abandons this process, and the process unlocks
/// what it is granted later.
class LockHolderProcess {
 public:
  /// Forks the process, which starts to acquire the lock at once. It shares `flock`, and removes
  /// the file of `flock` at the end. Fails if fork(2) or socketpair(2) fails.
  [[nodiscard]] static Result<LockHolderProcess> start(ClusterLock lock, const Flock& flock);

  /// Readable if there is a message, or if the process has ended.
  [[nodiscard]] int fd() const { return socket_.get(); }

  /// Returns the next message, or nullopt if the process has ended. Blocks.
  [[nodiscard]] std::optional<HolderMessage> receive() const;

  /// Sends a pidfd of the calling process, which is about to execute the program: the lock is held
  /// until that process has ended. Fails if the holder process has ended.
  [[nodiscard]] Result<void> hold_for_this_process() const;

  /// Reports that no process will be sent any more. If none was sent, the holder process unlocks.
  /// Does not block.
  void release() const;

  /// Calls `release`, and waits up to 300 ms for the holder process to unlock.
  void release_and_wait() const;

 private:
  explicit LockHolderProcess(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

}  // namespace guard::command
