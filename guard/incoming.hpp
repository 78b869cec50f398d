#pragma once

#include "guard/world.hpp"

namespace guard {

/// A VM that shares its lock by a hand-over may run its CPUs only when its source has stopped them:
/// QEMU's command line must have `-incoming`. Refuses a QEMU without. At `started` a cold start's
/// CPUs run already; libvirt kills it. One that can't be looked at passes.
[[nodiscard]] Verdict check_incoming(const World& world, const Vm& vm,
                                     const std::optional<Record>& record);

}  // namespace guard
