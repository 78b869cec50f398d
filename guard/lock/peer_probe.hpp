#pragma once

#include <optional>
#include <string>

#include "guard/lock/context.hpp"
#include "guard/system/abandonable_call.hpp"
#include "guard/system/deadline.hpp"

namespace guard {

/// Returns nullopt as soon as all hosts of the cluster have answered, or the cluster has evicted
/// those that do not. Returns why no lock can be acquired if a host is still silent at the
/// deadline. Does not block if the kernel has just heard from all hosts. Otherwise this requests
/// the lock of a name that nobody else uses, in a child process, and blocks until it is granted.
///
/// The reason: to request a VM's lock, the kernel asks each host whether it knows the lock. If a
/// host has just died, the request waits for its answer, unkillably and in steps of 5 s, even after
/// the cluster has evicted that host (dlm_wait_for_lock_mastery and DLM_MASTERY_TIMEOUT_MS in
/// fs/ocfs2/dlm/dlmmaster.c). All later requests of this host for the same lock wait with it. So
/// the VM could start only seconds later than elsewhere.
///
/// If debugfs cannot be read, this returns nullopt: a request is safe, but may wait as described.
[[nodiscard]] std::optional<std::string> why_peers_do_not_answer(const Context& context,
                                                                 CallRunner& runner,
                                                                 const Deadline& deadline);

}  // namespace guard
