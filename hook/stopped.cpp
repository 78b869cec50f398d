#include "hook/handlers.hpp"
#include "hook/record_qemu.hpp"

namespace hook {

Verdict stopped(const World& world, const Vm& vm) {
  if (world.records().stamp(vm.uuid)) record_qemu(world, vm, "stopped");
  return Verdict::pass();
}

}  // namespace hook
