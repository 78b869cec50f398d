#pragma once

#include <optional>

#include "guard/command/checks/finding.hpp"
#include "guard/command/output/json.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Returns one line for each finding and, indented below it, its remedy.
[[nodiscard]] std::string as_text(const Findings& findings, const Terminal& terminal);

/// Returns [{"check", "state", "found", "remedy"}]; "remedy" is null if there is nothing to repair.
[[nodiscard]] Json to_json(const Findings& findings);
/// Parses the result of `to_json`. Returns nullopt if the text is not a JSON array.
[[nodiscard]] std::optional<Findings> findings_from_json(const std::string& text);

}  // namespace guard::command
