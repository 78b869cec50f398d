#pragma once

#include "guard/world.hpp"

namespace guard {

/// libvirt is about to start the VM: takes the lock and writes the record, or refuses.
[[nodiscard]] Verdict prepare(const World& world, const Vm& vm);

/// QEMU is about to be executed: makes sure that the lock and the record are there; takes what is
/// missing, or refuses.
[[nodiscard]] Verdict start(const World& world, const Vm& vm);

/// QEMU runs: notes its process in the record. Refusing here would kill it.
[[nodiscard]] Verdict started(const World& world, const Vm& vm);

/// The VM is about to be restored from a file: the `prepare` that follows is no migration, so it
/// must not find the marker of one that libvirt has announced and then refused. Takes nothing, as
/// `migrate` takes nothing.
[[nodiscard]] Verdict restore(const World& world, const Vm& vm);

/// An incoming migration: leaves a marker for the `prepare` that follows. Takes nothing, since
/// libvirt finds out only after this call whether the VM is active here already.
[[nodiscard]] Verdict migrate(const World& world, const Vm& vm);

}  // namespace guard
