#pragma once

#include <functional>
#include <initializer_list>
#include <sys/types.h>

#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {

/// A forked child and the parent's end of the socket pair between the two. The parent may stop
/// waiting at any time: a call into dlmfs can sleep in the kernel where no signal ends it.
struct ChildProcess {
  pid_t pid;
  UniqueFd socket;
};

/// Forks a child that runs `work` with its own end of a socket pair of `socket_type` (SOCK_STREAM
/// or SOCK_SEQPACKET) and then exits with status 0. Both ends are closed at exec. The error is that
/// of socketpair(2) or fork(2).
[[nodiscard]] Result<ChildProcess> fork_child(
    int socket_type, const std::function<void(const UniqueFd& to_parent)>& work);

/// Redirects these descriptors to /dev/null, or closes them where that fails. A child does so with
/// the standard streams it inherited: whoever reads a pipe to its end would wait for the child.
void redirect_to_null(std::initializer_list<int> descriptors);

}  // namespace guard
