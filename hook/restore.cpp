#include "guard/host/incoming_migration.hpp"
#include "hook/handlers.hpp"

namespace hook {

Verdict restore(const World& world, const Vm& vm) {
  if (auto removed = IncomingMigrations(world.state).discard(vm.uuid); !removed) {
    world.log_event(events::announcement_not_removed, vm, {{"error", removed.error().what}});
  }
  return Verdict::pass();
}

}  // namespace hook
