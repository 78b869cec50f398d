#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "guard/lock/world.hpp"

namespace guard::command {

/// What `start-guard lock` is told to do.
struct LockRequest {
  dlmfs::DomainName domain;
  dlmfs::Name name;
  /// How long to wait for the lock; none: for ever. Zero: it is asked for once.
  std::optional<std::chrono::milliseconds> patience = std::nullopt;
  int conflict_status = 1;                ///< the exit status when it was not granted in that time
  std::vector<std::string> command = {};  ///< the program and its arguments
};

/// How it ended.
struct Ended {
  int status = 0;
  int signal = 0;  ///< a signal that came while it waited, of which it is to die
};

/// A line for the user.
using PrintLine = std::function<void(const std::string&)>;

/// Runs a command while this host has a lock that no other host, and no other call of this on this
/// host, is granted meanwhile; as flock(1) does on one host. The lock is the command's own: it goes
/// back when that process ends, whatever it has left running, and whatever became of this one. The
/// signals that come meanwhile are passed on to it. The status is the command's.
[[nodiscard]] Ended lock(const World& world, const LockRequest& order, const PrintLine& say);

}  // namespace guard::command
