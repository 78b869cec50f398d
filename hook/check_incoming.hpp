#pragma once

#include "hook/context.hpp"

namespace hook {

using namespace guard;

/// Denies if the VM shares its lock by a hand-over and its QEMU has no option `-incoming`. Such a
/// VM may run its CPUs only after its source has stopped them. At `started`, the CPUs of a cold
/// start run already; libvirt kills it. Passes if libvirt's pid file names no process that this
/// host can see.
[[nodiscard]] Verdict check_incoming(const HookContext& context, const Vm& vm,
                                     const std::optional<Record>& record);

/// Denies a QEMU that has `-incoming` but is not the target of a migration. Call this at `started`
/// only. libvirt also uses that option to restore a VM and to revert to an external snapshot, and
/// runs their CPUs after `started`, so the denial is in time. Passes, and logs that, if libvirt's
/// status file does not name the job.
[[nodiscard]] Verdict check_job(const HookContext& context, const Vm& vm,
                                const std::optional<Record>& record);

}  // namespace hook
