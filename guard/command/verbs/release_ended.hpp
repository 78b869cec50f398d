#pragma once

#include "guard/command/outcome.hpp"
#include "guard/command/verb_context.hpp"

namespace guard::command {

/// Unlocks every QEMU VM that has ended on this host. For a shutdown, when no daemon of libvirt can
/// tell what runs; refuses while one runs. Unlocks nothing while a VM's last run may still write to
/// a disk: prints a line for each such VM, which begins with the pid of its QEMU or with "-", and
/// returns ExitStatus::not_ended. Locks of other drivers, and locks without a record, stay.
[[nodiscard]] Outcome release_ended(const VerbContext& context);

}  // namespace guard::command
