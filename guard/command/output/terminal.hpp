#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

namespace guard::command {

/// The terminal that a verb's results are printed on.
struct Terminal {
  int width = 0;  ///< in columns; 0: standard output is not a terminal
  bool colour = false;
};

/// Escape sequences of colours (ECMA-48, SGR).
namespace colour {
inline constexpr std::string_view red = "\x1b[31m", yellow = "\x1b[33m", green = "\x1b[32m",
                                  bold = "\x1b[1m", reset = "\x1b[0m";
}  // namespace colour

/// Describes the terminal of `fd`. Uses no colours if NO_COLOR (https://no-color.org) is set or
/// TERM is "dumb".
[[nodiscard]] Terminal terminal_of(int fd);

/// Returns a function that shows on standard error how many VMs were queried. It starts one second
/// after this call, and overwrites its own line. It prints nothing if standard error is not a
/// terminal.
[[nodiscard]] std::function<void(std::size_t done, std::size_t of)> progress_line();

}  // namespace guard::command
