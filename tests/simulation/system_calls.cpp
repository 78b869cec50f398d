#include "tests/simulation/system_calls.hpp"

#include <sys/syscall.h>
#include <unistd.h>

namespace guard::simulation {
namespace {

std::uint64_t closed = 0;

}  // namespace

std::uint64_t closed_descriptors() {
  return closed;
}

}  // namespace guard::simulation

extern "C" int close(int fd) {
  ++guard::simulation::closed;
  return static_cast<int>(::syscall(SYS_close, fd));
}
