#include "guard/state/incoming_migration.hpp"
#include "hook/handlers.hpp"

namespace hook {

Verdict migrate(const HookContext& context, const Vm& vm) {
  if (auto written = IncomingMigrations(context.host.directory).write(vm.uuid, context.caller);
      !written) {
    context.host.log_event(events.announcement_not_written, vm, {{"error", written.error().what}});
  }
  return Verdict::pass();
}

}  // namespace hook
