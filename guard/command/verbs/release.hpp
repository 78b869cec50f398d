#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Gives back the lock of the VM that `text` names, which is left over on this host. Refused while
/// a QEMU of the VM lives here, in any case; and unless `force`, where libvirt says that the VM
/// runs, or can't say.
[[nodiscard]] Outcome release_lock(const VerbContext& context, const std::string& text, bool force);

/// What `force` risks, for whoever is asked whether to.
[[nodiscard]] std::string force_risk(const std::string& vm);

}  // namespace guard::command
