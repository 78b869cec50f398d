#pragma once

#include <string>

#include "guard/command/command_line.hpp"

namespace guard::command {

/// Returns the VM with this name, UUID or lock name. ENOENT: no VM with this name is known on this
/// host. A UUID or a lock name never fails: libvirt on this host need not know the VM.
[[nodiscard]] Result<Vm> resolve_vm(const VerbContext& context, const std::string& text);

/// Adds the argument VM, in a form that `resolve_vm` accepts.
void add_vm_argument(CLI::App& verb, std::string& text);

}  // namespace guard::command
