#pragma once

#include "guard/lock/acquire.hpp"
#include "guard/state/vm_flock.hpp"
#include "hook/context.hpp"

namespace hook {

using namespace guard;

/// Logs the denial of a start and returns it.
[[nodiscard]] Verdict deny(const HookContext& context, const Vm& vm, const std::string& reason);

/// Acquires the VM's lock for `prepare` or `start` and writes the record, or denies. Blocks until
/// the context's deadline. If the cluster does not answer by then, abandons a child process, which
/// cleans up when the cluster answers later. With Purpose::vm_may_run there is a record already, so
/// nothing is written or logged.
[[nodiscard]] Verdict acquire_for_start(const HookContext& context, const Vm& vm, VmFlock flock,
                                        const std::optional<Record>& record, Purpose purpose,
                                        std::optional<IncomingMigration> announcement);

/// Returns true if this host acquired its last lock in the configured domain. Then all of its locks
/// are in that domain.
[[nodiscard]] bool all_locks_in_configured_domain(const HookContext& context);

}  // namespace hook
