#pragma once

#include <filesystem>

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// How `check` ends, which is what monitoring systems expect of a plugin.
enum class CheckStatus { ok = 0, warnings = 1, failures = 2, not_run = 3 };

struct CheckOptions {
  std::filesystem::path configuration;  ///< start-guard.toml
  Terminal terminal = {};
  bool json = false;
};

/// Is this host safe? A line for each condition of the promise that no VM runs twice: "ok", "warn"
/// or "FAIL", its name, what was found; below it, indented, what mends it. Done within five
/// seconds, whatever the cluster does: what needs the cluster is looked at last, in processes that
/// may be left behind.
///
/// With `json` one document, whose keys and words stay as they are:
///
///     {"host": "node1", "status": "fail",
///      "checks": [{"check": "mount", "state": "fail", "found": "…", "remedy": "…"}, …]}
///
/// "state", and "status", the worst of them, is "ok", "warn" or "fail"; "remedy" is null where
/// there is nothing to remedy. In this order: configuration, kernel, module, stack, node,
/// heartbeat, peers, fencing, timeouts, hook, order, noticed, state, mount, domains, service,
/// processes, vms, left-over, clocks.
[[nodiscard]] Outcome check(const CheckOptions& options);

}  // namespace guard::command
