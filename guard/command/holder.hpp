#pragma once

#include "guard/command/desk.hpp"
#include "guard/command/outcome.hpp"

namespace guard::command {

/// Which host holds the VM's lock, and since when. `failed`: no host says that it does.
[[nodiscard]] Outcome holder(const Desk& desk, const std::string& vm, bool json);

}  // namespace guard::command
