#pragma once

#include <chrono>
#include <functional>

#include "guard/command/checks/finding.hpp"

namespace guard::command {

/// What some checks have in common that are made together.
struct Limits {
  std::vector<std::string> checks;  ///< their names
  Health unknown;                   ///< how it stands with each where nothing can be found out
  std::chrono::milliseconds limit;
};

/// Makes these checks in a child process, for they may sleep in the kernel; it is left behind if it
/// is not done within the limit, and that is then what each check has found.
[[nodiscard]] Findings run_with_limit(const Limits& limits, const std::function<Findings()>& make);

/// Of each of the checks, that it could not be made.
[[nodiscard]] Findings all_unknown(const Limits& limits, const std::string& why);

}  // namespace guard::command
