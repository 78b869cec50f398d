#pragma once

#include "hook/context.hpp"

/// CONTRIBUTING.md has a glossary and the path of a start through the files.
///
/// One handler for each libvirt operation that concerns a VM's lock; hook/main.cpp has the table. A
/// denial stops `prepare` and `start` before QEMU runs. At `started` and `reconnect`, it makes
/// libvirt kill QEMU. After all other operations, libvirt ignores it. libvirt waits for a handler
/// without a time limit. So a handler waits for the cluster and for the VM's flock at most until
/// the context's deadline, and then for up to half a second for its child process
/// (guard/system/abandonable_call.hpp).
namespace hook {

using namespace guard;

/// libvirt is about to start the VM: acquires the lock and writes the record, or denies.
[[nodiscard]] Verdict prepare(const HookContext& context, const Vm& vm);

/// QEMU is about to be executed: acquires the lock and writes the record if either is missing, or
/// denies.
[[nodiscard]] Verdict start(const HookContext& context, const Vm& vm);

/// QEMU runs: writes its process into the record. Without a record, does what `reconnect` does.
/// Denies, so libvirt kills QEMU, if the lock was acquired by a hand-over and QEMU is not the
/// target of a migration or cannot be examined.
[[nodiscard]] Verdict started(const HookContext& context, const Vm& vm);

/// The VM is about to be restored from a file: discards the announcement of an incoming migration,
/// so the `prepare` that follows does not use it. Acquires nothing.
[[nodiscard]] Verdict restore(const HookContext& context, const Vm& vm);

/// An incoming migration: writes an announcement for the `prepare` that follows. Acquires nothing,
/// because libvirt checks only after this call whether the VM is already active here.
[[nodiscard]] Verdict migrate(const HookContext& context, const Vm& vm);

/// libvirt's daemon has restarted and found the VM running: acquires the lock again if it is
/// missing. If another host holds it, logs the conflict, and denies if on_reconnect_conflict is
/// "kill". Also denies if `check_incoming` does. Passes in every other case.
[[nodiscard]] Verdict reconnect(const HookContext& context, const Vm& vm);

/// QEMU has been stopped: writes its process into the record if `started` could not.
[[nodiscard]] Verdict stopped(const HookContext& context, const Vm& vm);

/// libvirt has finished with the VM: unlocks if this host holds the lock and QEMU is dead. Never
/// denies. libvirt also calls this after a denied start, and after it gave up on a QEMU that is
/// still alive.
[[nodiscard]] Verdict release(const HookContext& context, const Vm& vm);

}  // namespace hook
