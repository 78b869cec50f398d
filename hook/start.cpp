#include "hook/acquire_for_start.hpp"
#include "hook/handlers.hpp"

namespace hook {

Verdict start(const HookContext& context, const Vm& vm) {
  if (context.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto flock = VmFlock::acquire(context.host.directory, vm.uuid, "start", context.deadline);
  if (!flock) return deny(context, vm, flock.error().what);
  auto record = context.host.load_record(vm);
  // This host holds every lock that the keeper has open, so do not ask the cluster again.
  if (record && context.keeper->level(vm).level) return Verdict::pass();
  auto purpose = record ? Purpose::vm_may_run : Purpose::start;
  return acquire_for_start(context, vm, std::move(*flock), record, purpose, std::nullopt);
}

}  // namespace hook
