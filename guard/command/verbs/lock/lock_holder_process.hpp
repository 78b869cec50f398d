#pragma once

#include <optional>
#include <string>

#include "guard/command/verbs/lock/cluster_lock.hpp"
#include "guard/host/flock.hpp"

namespace guard::command {

/// What a LockHolderProcess reports.
struct HolderMessage {
  enum class Kind {
    denied,    ///< another host holds the lock; it tries again
    granted,   ///< it holds the lock, and waits for the program's process
    busy,      ///< the unlock failed with EBUSY: `why`; it tries again
    failed,    ///< its last message: it can't acquire or can't unlock: `why`
    unlocked,  ///< its last message
  };
  Kind kind = Kind::failed;
  std::string why = {};
};

/// A process that acquires a cluster lock, keeps its file open while a program runs, and unlocks
/// when the program has ended, even if `start-guard lock` was killed. It has to outlive both, since
/// close(2) does not unlock a file in dlmfs. A call into dlmfs can sleep for a minute,
/// uninterrupted by SIGKILL: then this process is abandoned, and unlocks what it is granted later.
class LockHolderProcess {
 public:
  /// Forks the process, which starts to acquire the lock at once. It shares `flock` and removes its
  /// file at the end.
  [[nodiscard]] static Result<LockHolderProcess> start(ClusterLock lock, const Flock& flock);

  /// Readable if there is a message, or if the process has ended.
  [[nodiscard]] int fd() const { return socket_.get(); }

  /// Returns the next message, or nullopt if the process has ended. Blocks.
  [[nodiscard]] std::optional<HolderMessage> receive() const;

  /// Hands this process over, which is about to execute the program: the lock is held until it has
  /// ended. Fails if the holder process has ended.
  [[nodiscard]] Result<void> hold_for_this_process() const;

  /// Announces that no process will be handed over any more: without one it unlocks.
  void release() const;

  /// Calls `release` and waits up to 300 ms until it has unlocked.
  void release_and_wait() const;

 private:
  explicit LockHolderProcess(UniqueFd socket) : socket_(std::move(socket)) {}

  UniqueFd socket_;
};

}  // namespace guard::command
