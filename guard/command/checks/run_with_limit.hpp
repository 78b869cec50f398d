#pragma once

#include <chrono>
#include <functional>

#include "guard/command/checks/finding.hpp"

namespace guard::command {

/// Names and limits of checks that run together.
struct Limits {
  std::vector<std::string> checks;  ///< their names
  Health unknown;                   ///< the state of each check that has no result
  std::chrono::milliseconds limit;
};

/// Runs these checks in a child process, since they may sleep in the kernel. If they do not end
/// within the limit, the child is abandoned, and each check reports that.
[[nodiscard]] Findings run_with_limit(const Limits& limits, const std::function<Findings()>& make);

/// Returns, for each of the checks, a finding that it could not run.
[[nodiscard]] Findings all_unknown(const Limits& limits, const std::string& why);

}  // namespace guard::command
