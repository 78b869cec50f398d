#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Which host holds the lock of the VM that `text` names, and since when. `failed`: no host says
/// that it does.
[[nodiscard]] Outcome holder(const VerbContext& context, const std::string& text, bool json);

}  // namespace guard::command
