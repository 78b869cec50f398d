#include "guard/command/ask_operator.hpp"

#include <cstdio>
#include <unistd.h>

#include <fmt/format.h>

namespace guard::command {

std::optional<Outcome> ask_operator(const Confirmation& confirmation) {
  if (::isatty(STDIN_FILENO) == 0) {
    return failure(ExitStatus::failed,
                   fmt::format("{} To do it anyway: {}", confirmation.risk, confirmation.options));
  }
  std::fprintf(stderr, "%s\n%s [y/N] ", confirmation.risk.c_str(), confirmation.question);
  int answer = std::getchar();
  if (answer == 'y' || answer == 'Y') return std::nullopt;
  return failure(ExitStatus::failed, confirmation.if_refused);
}

}  // namespace guard::command
