#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "guard/command/outcome.hpp"

namespace guard::command {

/// Does the work in a child process, for it may sleep in the kernel where no signal ends it, for as
/// long as the cluster likes. Nothing: it was not done within `limit`, and is left behind.
[[nodiscard]] std::optional<Outcome> run_in_child(std::chrono::milliseconds limit,
                                                  const std::function<Outcome()>& work);

}  // namespace guard::command
