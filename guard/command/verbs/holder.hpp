#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Reports which host holds the lock of the VM `text` (as for `resolve_vm`), and since when.
/// `failed`: no host reports that it holds it, or the VM is unknown. `unavailable`: the VM's bell
/// gave no reply.
[[nodiscard]] Outcome holder(const VerbContext& context, const std::string& text, bool json);

}  // namespace guard::command
