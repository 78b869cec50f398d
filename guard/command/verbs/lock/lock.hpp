#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "guard/lock/context.hpp"

namespace CLI {
class App;
}

namespace guard::command {

/// The request of one call of `start-guard lock`.
struct LockRequest {
  // NOLINTBEGIN(bugprone-unchecked-optional-access): these texts are valid
  dlmfs::DomainName domain = dlmfs::DomainName::parse("locks").value();
  dlmfs::Name name = dlmfs::Name::parse("NAME").value();  ///< always replaced: it is required
  // NOLINTEND(bugprone-unchecked-optional-access)
  /// How long to wait for the lock; nullopt: without limit; zero: try once.
  std::optional<std::chrono::milliseconds> patience = std::nullopt;
  int conflict_status = 1;  ///< exit status if the lock was not granted in that time
  /// The program and its arguments: the words after "--", which CLI11 does not see.
  std::vector<std::string> command = {};
};

/// Adds the arguments to the verb. Parsing sets all members of `request` except `command`.
void add_arguments(CLI::App& verb, LockRequest& request);

/// How the call ended.
struct Ended {
  int status = 0;
  int signal = 0;  ///< a signal that ended the wait; the caller must die of it
};

/// Prints a line for the user.
using PrintLine = std::function<void(const std::string&)>;

/// Runs a command while this host holds a lock, as flock(1) does on one host. Meanwhile, no other
/// host and no other call on this host is granted the lock. The lock is unlocked when the process
/// of the command ends, even if this process is killed, and whatever the command leaves running.
/// Passes signals on to the command. Blocks until then. Returns the command's exit status.
[[nodiscard]] Ended run_locked(const Context& context, const LockRequest& request,
                               const PrintLine& print);

}  // namespace guard::command
