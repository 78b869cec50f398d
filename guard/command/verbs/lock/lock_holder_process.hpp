#pragma once

#include <optional>
#include <string>

#include "guard/command/verbs/lock/cluster_lock.hpp"
#include "guard/command/verbs/lock/host_flock.hpp"

namespace guard::command {

/// What a minder tells.
struct HolderMessage {
  enum class Kind {
    denied,    ///< another host has the lock. It goes on trying
    granted,   ///< it keeps the lock for the program that is given into its care
    busy,      ///< the lock can't go back yet: `why`. It goes on trying
    failed,    ///< its last word: the lock can't be taken, or not be given back: `why`
    unlocked,  ///< its last word
  };
  Kind kind = Kind::failed;
  std::string why = {};
};

/// A process that takes a cluster lock, keeps its file open while a program runs, and gives the
/// lock back when that has ended, whatever becomes of who has started both: of a lock whose file is
/// merely closed nobody would free it. It is a process of its own also because a call into dlmfs
/// can sleep for a minute, and SIGKILL doesn't end that: it is then left behind, and gives back
/// what it is granted.
class LockHolderProcess {
 public:
  /// It begins to try for the lock at once. It has a copy of `turn`, which it frees at its end.
  [[nodiscard]] static Result<LockHolderProcess> start(ClusterLock lock, const HostFlock& turn);

  /// Readable: there is a word, or it has gone.
  [[nodiscard]] int fd() const { return line_.get(); }
  /// The next word, which is waited for. Nothing: the process has gone.
  [[nodiscard]] std::optional<HolderMessage> hear() const;

  /// Called by the process that becomes the program: the lock, which has been granted, is kept
  /// until this process has ended. It fails if the minder has gone.
  [[nodiscard]] Result<void> care_for_this_process() const;

  /// No process will be given into its care any more: without one the lock goes back.
  void let_go() const;
  /// The same; and returns when that is done, unless the cluster does not answer just then.
  void dismiss() const;

 private:
  explicit LockHolderProcess(UniqueFd line) : line_(std::move(line)) {}

  UniqueFd line_;
};

}  // namespace guard::command
