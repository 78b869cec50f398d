#pragma once

#include "guard/host/vm_flock.hpp"
#include "guard/lock/acquire.hpp"
#include "guard/lock/world.hpp"

namespace hook {

using namespace guard;

/// Logs the denial of a start and returns it.
[[nodiscard]] Verdict deny(const World& world, const Vm& vm, const std::string& reason);

/// Acquires the VM's lock for `prepare` or `start` and writes the record. Waits until the world's
/// deadline, and leaves a child process behind that cleans up when the cluster answers later.
[[nodiscard]] Verdict acquire_for_start(const World& world, const Vm& vm, VmFlock flock,
                                        const std::optional<Record>& record, Purpose purpose,
                                        std::optional<IncomingMigration> marker);

/// Whether the last lock that was acquired here, and so every lock, is in the configured domain.
[[nodiscard]] bool domain_is_recorded(const World& world);

}  // namespace hook
