#pragma once

#include "guard/world.hpp"

namespace guard {

/// libvirt's daemon has come back and found the VM running: makes sure that this host holds its
/// lock. Refusing kills the VM, so that is done only where the configuration says so and another
/// host holds the lock.
[[nodiscard]] Verdict reconnect(const World& world, const Vm& vm);

}  // namespace guard
