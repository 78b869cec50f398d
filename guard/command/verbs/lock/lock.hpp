#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "guard/lock/context.hpp"

namespace guard::command {

/// What `start-guard lock` is asked to do.
struct LockRequest {
  dlmfs::DomainName domain;
  dlmfs::Name name;
  /// How long to wait for the lock; nullopt: without limit; zero: try once.
  std::optional<std::chrono::milliseconds> patience = std::nullopt;
  int conflict_status = 1;                ///< exit status if the lock was not granted in that time
  std::vector<std::string> command = {};  ///< the program and its arguments
};

/// How the call ended.
struct Ended {
  int status = 0;
  int signal = 0;  ///< a signal that ended the wait; the caller must die of it
};

/// Prints a line for the user.
using PrintLine = std::function<void(const std::string&)>;

/// Runs a command while this host holds a lock, as flock(1) does on one host: no other host, and no
/// other call on this host, is granted it meanwhile. The lock is unlocked when the command's
/// process ends, even if this one is killed, whatever the command leaves running. Passes signals on
/// to it. Returns its exit status.
[[nodiscard]] Ended lock(const Context& context, const LockRequest& request,
                         const PrintLine& print);

}  // namespace guard::command
