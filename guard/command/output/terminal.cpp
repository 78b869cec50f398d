#include "guard/command/output/terminal.hpp"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <sys/ioctl.h>
#include <unistd.h>

namespace guard::command {

Terminal terminal_of(int fd) {
  winsize size{};
  if (::isatty(fd) == 0) return {};
  if (::ioctl(fd, TIOCGWINSZ, &size) != 0) size.ws_col = 0;
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  bool dumb = terminal != nullptr && std::string_view(terminal) == "dumb";
  return {size.ws_col, (no_colour == nullptr || *no_colour == '\0') && !dumb};
}

std::function<void(std::size_t, std::size_t)> progress_line() {
  if (::isatty(STDERR_FILENO) == 0) return [](auto, auto) {};
  auto began = std::chrono::steady_clock::now();
  return [began, shown = false](std::size_t done, std::size_t of) mutable {
    if (std::chrono::steady_clock::now() - began < std::chrono::seconds(1)) return;
    if (done < of) {
      std::fprintf(stderr, "\rqueried %zu of %zu VMs", done, of);
      shown = true;
    } else if (shown) {
      std::fputs("\r\x1b[K", stderr);
    }
  };
}

}  // namespace guard::command
