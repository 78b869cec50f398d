#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// What the keeper does at every reconcile_interval, now: by the keeper where one runs, else here.
/// A line for each VM that something is done about. `dry_run`: only says what would be done.
[[nodiscard]] Outcome reconcile(const VerbContext& context, bool dry_run);

}  // namespace guard::command
