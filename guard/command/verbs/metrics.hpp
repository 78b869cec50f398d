#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Prometheus' text format, for node_exporter's textfile collector or a pipe.
[[nodiscard]] Outcome metrics(const VerbContext& context);

}  // namespace guard::command
