#pragma once

#include <string>

#include "guard/command/command_line.hpp"

namespace guard::command {

/// Returns the VM with this name, UUID or lock name. A UUID or a lock name never fails: libvirt on
/// this host need not know the VM. For an unknown name returns the outcome of the verb:
/// `no_such_vm`, or `unavailable` if libvirt did not answer.
[[nodiscard]] tl::expected<Vm, Outcome> resolve_vm(const VerbContext& context,
                                                   const std::string& text);

/// Adds the argument VM, in a form that `resolve_vm` accepts.
void add_vm_argument(CLI::App& verb, std::string& text);

}  // namespace guard::command
