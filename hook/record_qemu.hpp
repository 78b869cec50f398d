#pragma once

#include <string>

#include "hook/context.hpp"

namespace hook {

using namespace guard;

/// Writes into the VM's record which process runs it, if it does not say so yet. Nothing here can
/// stop libvirt: what fails is logged. At `release` libvirt's own note of the process is gone.
void record_qemu(const HookContext& context, const Vm& vm, const std::string& operation);

}  // namespace hook
