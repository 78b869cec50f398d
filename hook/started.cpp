#include "hook/acquire_for_start.hpp"
#include "hook/check_incoming.hpp"
#include "hook/handlers.hpp"
#include "hook/record_qemu.hpp"

namespace hook {

Verdict started(const World& world, const Vm& vm) {
  if (world.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto record = world.load_record(vm);
  if (!record) return reconnect(world, vm);
  record_qemu(world, vm, "started");
  bool looked_at = record->origin != Origin::hand_over || process_in_pid_file(vm, world.pid_files);
  if (!looked_at) {
    return deny(world, vm, "it got its lock by a hand-over, and its QEMU can't be examined");
  }
  if (auto verdict = check_incoming(world, vm, record); verdict.denied) return verdict;
  return check_job(world, vm, record);
}

}  // namespace hook
