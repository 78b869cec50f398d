#pragma once

#include <optional>
#include <string>

#include "guard/command/outcome.hpp"

namespace guard::command {

/// What an operator must confirm before the command continues.
struct Confirmation {
  std::string risk;        ///< what may happen, one sentence
  const char* options;     ///< the command to use if standard input is no terminal
  const char* question;    ///< "Remove the hook?"
  const char* if_refused;  ///< the error if the answer is not yes
};

/// Asks on the terminal. Blocks until the operator answers. Returns nullopt for "y", otherwise the
/// failure of the verb. Fails at once if standard input is not a terminal.
[[nodiscard]] std::optional<Outcome> ask_operator(const Confirmation& confirmation);

}  // namespace guard::command
