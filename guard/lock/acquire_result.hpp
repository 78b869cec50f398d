#pragma once

#include <optional>
#include <string>

#include "guard/lock/bell.hpp"
#include "guard/lock/last_run.hpp"

namespace guard {

/// The result of an attempt to acquire a VM's lock.
struct AcquireResult {
  enum class Kind {
    granted,           ///< this host holds the lock; `why`: the error if its bell was not written
    asking_holder,     ///< interim: denied; this host is asking the holder for its name
    denied,            ///< another host holds it: `holder`, or `why` its name is unknown
    keeper_needed,     ///< a hand-over needs a keeper on this host, and none runs
    announced_before,  ///< `holder`'s migration began later, so its target is another host
    last_run,          ///< `last_run` may still write to the VM's disks
    cluster_down,      ///< a lock acquired here would not exclude other hosts: `why`
    failed,            ///< `why`
    no_answer,         ///< the cluster did not answer before the deadline
  };
  Kind kind = Kind::no_answer;
  std::string why = {};
  std::optional<Holder> holder = std::nullopt;
  std::optional<LastRun> last_run = std::nullopt;
  bool shared = false;  ///< granted PR, shared for a migration; `holder`: who granted the hand-over
  bool kept = false;    ///< the keeper of this host has the lock open
};

/// The result of an attempt to unlock.
struct UnlockResult {
  enum class Kind {
    unlocked,      ///< this host no longer holds the lock; `why`: the error if its record stays
    last_run,      ///< the lock stays: `last_run`
    file_in_use,   ///< the lock stays: a process of this host has its file open, or may have
                   ///< queued a request for it: `why`
    cluster_down,  ///< dlmfs cannot be opened: `why`
    failed,        ///< `why`
    no_answer,     ///< the cluster did not answer before the deadline
  };
  Kind kind = Kind::no_answer;
  std::string why = {};
  std::optional<LastRun> last_run = std::nullopt;
};

/// Return the result as a message from the hook's child process to the hook
/// (guard/system/abandonable_call.hpp).
[[nodiscard]] std::string to_text(const AcquireResult& result);
[[nodiscard]] std::string to_text(const UnlockResult& result);
/// Return the result that such a message contains, or `failed` for any other text.
[[nodiscard]] AcquireResult acquire_result_from(const std::string& text);
[[nodiscard]] UnlockResult unlock_result_from(const std::string& text);

}  // namespace guard
