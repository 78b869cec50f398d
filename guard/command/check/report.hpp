#pragma once

#include <optional>

#include "guard/command/check/finding.hpp"
#include "guard/command/desk.hpp"
#include "guard/command/json.hpp"

namespace guard::command {

/// A line each, and below it, indented, what mends it.
[[nodiscard]] std::string as_text(const Findings& findings, const Screen& screen);

/// [{"check", "state", "found", "mend"}]; "mend" is null where there is nothing to mend.
[[nodiscard]] Json to_json(const Findings& findings);
/// Nothing: it is no such text.
[[nodiscard]] std::optional<Findings> findings_from_json(const std::string& text);

}  // namespace guard::command
