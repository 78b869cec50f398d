#pragma once

#include <optional>
#include <string>

#include "guard/lock/context.hpp"
#include "guard/system/abandonable_call.hpp"
#include "guard/system/deadline.hpp"

namespace guard {

/// Returns why no lock can be acquired now because a host of the cluster does not answer, or
/// nullopt if all hosts answer. Blocks at most until `deadline`, and only if the kernel has
/// received nothing from a host for some time. Then it requests the lock of a name that nobody else
/// uses, in a child process.
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
