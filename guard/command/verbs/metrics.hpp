#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Returns metrics in Prometheus' text format, for node_exporter's textfile collector or a pipe.
[[nodiscard]] Outcome metrics(const VerbContext& context);

}  // namespace guard::command
