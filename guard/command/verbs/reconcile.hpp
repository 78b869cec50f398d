#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Does now what the keeper does at every reconcile_interval. If a keeper runs, it does the work,
/// otherwise this process. Prints one line for each VM that something is done about. `dry_run`:
/// only prints what would be done.
[[nodiscard]] Outcome reconcile(const VerbContext& context, bool dry_run);

}  // namespace guard::command
