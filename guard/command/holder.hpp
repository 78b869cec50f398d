#pragma once

#include "guard/command/desk.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

/// Which host holds the lock of the VM that `text` names, and since when. `failed`: no host says
/// that it does.
[[nodiscard]] Outcome holder(const Desk& desk, const std::string& text, bool json);

}  // namespace guard::command
