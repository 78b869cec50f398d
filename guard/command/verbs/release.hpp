#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Unlocks the lock of the VM `text` that is left over on this host. Always refuses while a QEMU of
/// the VM is alive here or cannot be seen, or while its I/O is in flight. Without `force` also
/// refuses if libvirt reports that the VM runs, if libvirt does not answer, or if the VM's driver
/// is not QEMU.
[[nodiscard]] Outcome release_lock(const VerbContext& context, const std::string& text, bool force);

/// Describes the risk of `force`, for the question to the operator.
[[nodiscard]] std::string force_risk(const std::string& vm);

}  // namespace guard::command
