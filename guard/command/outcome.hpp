#pragma once

#include <string>

#include "guard/exit_status.hpp"

namespace guard::command {

/// The result of a verb. The verb does not print it: its process may be abandoned while it sleeps
/// in the kernel.
struct Outcome {
  int status = 0;   ///< an ExitStatus; `check` and `lock` have their own statuses
  std::string out;  ///< results, for standard output
  std::string err;  ///< diagnostics, for standard error
};

[[nodiscard]] inline Outcome failure(ExitStatus status, const std::string& what) {
  return {static_cast<int>(status), "", "start-guard: " + what + "\n"};
}

}  // namespace guard::command
