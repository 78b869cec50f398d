#pragma once

#include <optional>
#include <string>

#include "guard/lock/bell.hpp"
#include "guard/lock/last_run.hpp"

namespace guard {

/// What an attempt to acquire a VM's lock came to.
struct AcquireResult {
  enum class Kind {
    granted,        ///< this host holds the lock; `why`: why its bell could not be written, if so
    asking_holder,  ///< interim: denied, and the holder is being asked for its name
    denied,         ///< another host holds it: `holder`, else `why` it did not say its name
    keeper_needed,  ///< only a keeper on this host can accept a hand-over, and none runs
    announced_before,  ///< `holder`'s migration began after the announcement: it is another one
    last_run,          ///< `last_run` may still write to the VM's disks
    cluster_down,      ///< a lock acquired here would not exclude other hosts: `why`
    failed,            ///< `why`
    no_answer,         ///< the cluster has not answered at the deadline
  };
  Kind kind = Kind::no_answer;
  std::string why = {};
  std::optional<Holder> holder = std::nullopt;
  std::optional<LastRun> last_run = std::nullopt;
  bool shared = false;  ///< granted by a hand-over, from `holder`
  bool kept = false;    ///< the keeper has the lock open
};

/// What an attempt to unlock came to.
struct UnlockResult {
  enum class Kind {
    unlocked,      ///< this host no longer holds the lock; `why`: why its record stays, if so
    last_run,      ///< the lock stays: `last_run`
    file_in_use,   ///< the lock stays: a process of this host has its file open, or waits for it:
                   ///< `why`
    cluster_down,  ///< dlmfs can't be opened: `why`
    failed,        ///< `why`
    no_answer,     ///< the cluster has not answered at the deadline
  };
  Kind kind = Kind::no_answer;
  std::string why = {};
  std::optional<LastRun> last_run = std::nullopt;
};

/// As messages between the hook and its child (guard/system/abandonable_call.hpp).
[[nodiscard]] std::string to_text(const AcquireResult& result);
[[nodiscard]] std::string to_text(const UnlockResult& result);
/// Return `failed` for any other text.
[[nodiscard]] AcquireResult acquire_result_from(const std::string& text);
[[nodiscard]] UnlockResult unlock_result_from(const std::string& text);

}  // namespace guard
