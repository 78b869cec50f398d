#include "guard/system/child_process.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace guard {

Result<ChildProcess> fork_child(int socket_type, const std::function<void(const UniqueFd&)>& work) {
  int ends[2];
  if (::socketpair(AF_UNIX, socket_type | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail(system_error("socketpair"));
  }
  UniqueFd parents_end(ends[0]);
  UniqueFd childs_end(ends[1]);
  pid_t child = ::fork();
  if (child < 0) return fail(system_error("fork"));
  if (child == 0) {
    parents_end.reset();
    try {
      work(childs_end);
    } catch (...) {
      ::_exit(1);  // a bug: no exception may unwind into the parent's code
    }
    ::_exit(0);
  }
  return ChildProcess{child, std::move(parents_end)};
}

void redirect_to_null(std::initializer_list<int> descriptors) {
  UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int descriptor : descriptors) {
    if (!null || ::dup2(null.get(), descriptor) < 0) ::close(descriptor);
  }
}

}  // namespace guard
