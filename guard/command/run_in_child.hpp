#pragma once

#include <chrono>
#include <functional>
#include <optional>

#include "guard/command/outcome.hpp"
#include "guard/system/result.hpp"

namespace guard::command {

/// Runs `work` in a child process and returns its outcome, or nullopt if it has not ended within
/// `limit`: then the child is sent SIGKILL and abandoned, since a call into dlmfs may sleep where
/// no signal ends it. Of the standard streams it has only a terminal's stderr open, for the
/// progress line: others would wait for the end of a pipe (ssh does). Fails if the child can't be
/// forked or is killed. An exception in `work` becomes a failed outcome.
[[nodiscard]] Result<std::optional<Outcome>> run_in_child(std::chrono::milliseconds limit,
                                                          const std::function<Outcome()>& work);

}  // namespace guard::command
