#include "guard/host/incoming_migration.hpp"
#include "hook/handlers.hpp"

namespace hook {

Verdict migrate(const World& world, const Vm& vm) {
  if (auto written = IncomingMigrations(world.state).write(vm.uuid, world.caller); !written) {
    world.log_event(events::announcement_not_written, vm, {{"error", written.error().what}});
  }
  return Verdict::pass();
}

}  // namespace hook
