#pragma once

#include "guard/host/vm_flock.hpp"
#include "guard/lock/acquire.hpp"
#include "hook/context.hpp"

namespace hook {

using namespace guard;

/// Logs the denial of a start and returns it.
[[nodiscard]] Verdict deny(const HookContext& context, const Vm& vm, const std::string& reason);

/// Acquires the VM's lock for `prepare` or `start` and writes the record. Waits until the context's
/// deadline, and leaves a child process behind that cleans up when the cluster answers later.
[[nodiscard]] Verdict acquire_for_start(const HookContext& context, const Vm& vm, VmFlock flock,
                                        const std::optional<Record>& record, Purpose purpose,
                                        std::optional<IncomingMigration> announcement);

/// Whether the last lock that was acquired here, and so every lock, is in the configured domain.
[[nodiscard]] bool domain_is_recorded(const HookContext& context);

}  // namespace hook
