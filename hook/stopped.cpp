#include "hook/handlers.hpp"
#include "hook/record_qemu.hpp"

namespace hook {

Verdict stopped(const HookContext& context, const Vm& vm) {
  if (context.host.records().stamp(vm.uuid)) record_qemu(context, vm, "stopped");
  return Verdict::pass();
}

}  // namespace hook
