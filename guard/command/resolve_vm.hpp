#pragma once

#include <string>

#include "guard/command/verb_context.hpp"

namespace guard::command {

/// The VM that an operator means by its name, its UUID, or its lock's name. ENOENT: nobody here
/// knows such a VM; that can't be so of a UUID or a lock's name, for which libvirt need not know
/// it.
[[nodiscard]] Result<Vm> resolve_vm(const VerbContext& context, const std::string& text);

}  // namespace guard::command
