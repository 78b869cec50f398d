#pragma once

#include <functional>
#include <initializer_list>
#include <sys/types.h>

#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {

/// A forked child, and the parent's end of the socket pair between parent and child. The parent may
/// stop waiting at any time, because a call into dlmfs can sleep uninterruptibly in the kernel.
struct ChildProcess {
  pid_t pid;
  UniqueFd socket;
};

/// Forks a child. The child runs `work` with its end of a socket pair of `socket_type` (SOCK_STREAM
/// or SOCK_SEQPACKET) and then exits with status 0. Both ends are close-on-exec. Returns the error
/// of socketpair(2) or fork(2).
[[nodiscard]] Result<ChildProcess> fork_child(
    int socket_type, const std::function<void(const UniqueFd& to_parent)>& work);

/// Redirects these descriptors to /dev/null, or closes them if that fails. A child does this with
/// its inherited standard streams. Otherwise a process that reads such a pipe to its end would wait
/// for the child.
void redirect_to_null(std::initializer_list<int> descriptors);

}  // namespace guard
