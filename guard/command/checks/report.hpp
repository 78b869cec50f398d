#pragma once

#include <optional>

#include "guard/command/checks/finding.hpp"
#include "guard/command/output/json.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// A line each, and below it, indented, what mends it.
[[nodiscard]] std::string as_text(const Findings& findings, const Terminal& terminal);

/// [{"check", "state", "found", "remedy"}]; "remedy" is null where there is nothing to remedy.
[[nodiscard]] Json to_json(const Findings& findings);
/// Nothing: it is no such text.
[[nodiscard]] std::optional<Findings> findings_from_json(const std::string& text);

}  // namespace guard::command
