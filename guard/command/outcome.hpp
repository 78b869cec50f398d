#pragma once

namespace guard::command {

/// How a verb of the operator's command ends; beyond 1 as sysexits(3) has it.
enum class ExitStatus {
  ok = 0,
  failed = 1,
  usage = 64,          ///< called wrongly
  unavailable = 69,    ///< the cluster can't be used
  no_permission = 77,  ///< not root
  configuration = 78,  ///< a mistake in start-guard.toml
};

}  // namespace guard::command
