#include "guard/system/read_fd.hpp"

#include <array>
#include <unistd.h>

namespace guard {

// The hook uses no streams: the first stream initializes the C++ library's locale, and that takes
// as long as the lock.
Result<std::string> read_fd(int fd) {
  std::string text;
  for (std::array<char, 4096> chunk;;) {
    ssize_t count = ::read(fd, chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error("reading"));
    if (count == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace guard
