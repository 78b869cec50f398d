#pragma once

#include "hook/context.hpp"

/// One handler for each of libvirt's operations that concern a VM's lock; hook/main.cpp has the
/// table. A denial stops `prepare` and `start` before QEMU runs; at `started` and `reconnect` it
/// makes libvirt kill QEMU; after all other operations libvirt ignores it.
namespace hook {

using namespace guard;

/// libvirt is about to start the VM: acquires the lock and writes the record, or denies.
[[nodiscard]] Verdict prepare(const HookContext& context, const Vm& vm);

/// QEMU is about to be executed: acquires the lock and writes the record where either is missing,
/// or denies.
[[nodiscard]] Verdict start(const HookContext& context, const Vm& vm);

/// QEMU runs: writes its process into the record. Denies, which kills QEMU, if the lock came by a
/// hand-over and QEMU is not the target of a migration.
[[nodiscard]] Verdict started(const HookContext& context, const Vm& vm);

/// The VM is about to be restored from a file: discards the announcement of an incoming migration,
/// so that the `prepare` that follows does not use it. Acquires nothing.
[[nodiscard]] Verdict restore(const HookContext& context, const Vm& vm);

/// An incoming migration: writes an announcement for the `prepare` that follows. Acquires nothing,
/// since libvirt checks only after this call whether the VM is already active here.
[[nodiscard]] Verdict migrate(const HookContext& context, const Vm& vm);

/// libvirt's daemon has restarted and found the VM running: acquires the lock again if it is
/// missing. If another host holds it, raises an alarm, and denies where on_reconnect_conflict is
/// "kill". Passes in every other case.
[[nodiscard]] Verdict reconnect(const HookContext& context, const Vm& vm);

/// QEMU has been stopped: writes its process into the record if `started` could not.
[[nodiscard]] Verdict stopped(const HookContext& context, const Vm& vm);

/// libvirt has finished with the VM: unlocks if this host holds the lock and QEMU is dead. Never
/// denies. libvirt calls this after a denied start as well, and also after it gave up on a QEMU
/// that is still alive.
[[nodiscard]] Verdict release(const HookContext& context, const Vm& vm);

}  // namespace hook
