#pragma once

#include <string>

#include "hook/context.hpp"

namespace hook {

using namespace guard;

/// Writes the VM's QEMU process into its record, unless the record has one. Logs errors, because
/// nothing here can stop libvirt. At `release`, libvirt's pid file is already removed. Waits for
/// the VM's flock until the deadline.
void record_qemu(const HookContext& context, const Vm& vm, const std::string& operation);

}  // namespace hook
