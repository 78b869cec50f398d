#pragma once

#include <filesystem>

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

struct CheckOptions {
  std::filesystem::path configuration;  ///< start-guard.toml
  Terminal terminal = {};
  bool json = false;
};

/// Checks whether this host is safe. Prints one line for each condition of the guarantee that no VM
/// runs twice: "ok", "warn" or "FAIL", the name of the check, and the result; below it, indented,
/// the remedy. Ends within five seconds, whatever the cluster does: the checks that need the
/// cluster run last, in child processes that may be abandoned.
///
/// With `json` returns one document, whose keys and words never change:
///
///     {"host": "node1", "status": "fail",
///      "checks": [{"check": "mount", "state": "fail", "found": "…", "remedy": "…"}, …]}
///
/// "state" is "ok", "warn" or "fail"; "status" is the worst state; "remedy" is null if there is
/// nothing to repair. The checks are, in this order: configuration, kernel, module, stack, node,
/// heartbeat, peers, fencing, timeouts, hook, order, hook-loaded, state, mount, domains, service,
/// processes, vms, left-over, disks, clocks.
[[nodiscard]] Outcome check(const CheckOptions& options);

}  // namespace guard::command
