#pragma once

#include "guard/command/desk.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

/// Prometheus' text format, for node_exporter's textfile collector or a pipe.
[[nodiscard]] Outcome metrics(const Desk& desk);

}  // namespace guard::command
