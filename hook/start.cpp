#include "hook/acquire_for_start.hpp"
#include "hook/handlers.hpp"

namespace hook {

Verdict start(const World& world, const Vm& vm) {
  if (world.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto flock = VmFlock::acquire(world.state, vm.uuid, "start", world.deadline);
  if (!flock) return deny(world, vm, flock.error().what);
  auto record = world.load_record(vm);
  // What the keeper has open this host holds; asking the cluster again would be no surer.
  if (record && world.keeper->level(vm).level) return Verdict::pass();
  auto purpose = record ? Purpose::keep : Purpose::start;
  return acquire_for_start(world, vm, std::move(*flock), record, purpose, std::nullopt);
}

}  // namespace hook
