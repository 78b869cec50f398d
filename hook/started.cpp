#include "hook/acquire_for_start.hpp"
#include "hook/check_incoming.hpp"
#include "hook/handlers.hpp"
#include "hook/record_qemu.hpp"

namespace hook {

Verdict started(const HookContext& context, const Vm& vm) {
  if (context.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto record = context.host.load_record(vm);
  if (!record) return reconnect(context, vm);
  record_qemu(context, vm, "started");
  bool looked_at = record->origin != Origin::hand_over ||
                   process_in_pid_file(vm, context.paths.pid_files, context.paths.processes);
  if (!looked_at) {
    return deny(context, vm, "it got its lock by a hand-over, and its QEMU can't be examined");
  }
  if (auto verdict = check_incoming(context, vm, record); verdict.denied) return verdict;
  return check_job(context, vm, record);
}

}  // namespace hook
