#pragma once

#include "guard/world.hpp"

namespace guard {

/// QEMU has been stopped: last chance to note which process it was.
[[nodiscard]] Verdict stopped(const World& world, const Vm& vm);

/// libvirt is done with the VM: gives the lock back if this host took it and QEMU is dead. Never
/// refuses. libvirt calls this after a denied start, too, and also when it has given a QEMU up that
/// still lives.
[[nodiscard]] Verdict release(const World& world, const Vm& vm);

}  // namespace guard
