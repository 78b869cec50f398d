#pragma once

#include <string>

#include "guard/command/desk.hpp"

namespace guard::command {

/// The VM that an operator means by its name, its UUID, or its lock's name. ENOENT: nobody here
/// knows such a VM; that can't be so of a UUID or a lock's name, for which libvirt need not know
/// it.
[[nodiscard]] Result<Vm> vm_named(const Desk& desk, const std::string& text);

}  // namespace guard::command
