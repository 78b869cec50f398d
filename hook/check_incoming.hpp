#pragma once

#include "hook/context.hpp"

namespace hook {

using namespace guard;

/// A VM that shares its lock by a hand-over may run its CPUs only when its source has stopped them:
/// QEMU's command line must have `-incoming`. Refuses a QEMU without. At `started` a cold start's
/// CPUs run already; libvirt kills it. One that can't be examined passes.
[[nodiscard]] Verdict check_incoming(const HookContext& context, const Vm& vm,
                                     const std::optional<Record>& record);

/// For `started` alone: refuses a QEMU that has `-incoming` and yet is not the target of a
/// migration. libvirt gives that option to the QEMU of a restore and of the revert to an external
/// snapshot as well, and runs their CPUs after `started`; so refusing them here is in time. Passes
/// where libvirt does not tell which job it is at, and logs that.
[[nodiscard]] Verdict check_job(const HookContext& context, const Vm& vm,
                                const std::optional<Record>& record);

}  // namespace hook
