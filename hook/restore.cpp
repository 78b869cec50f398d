#include "guard/state/incoming_migration.hpp"
#include "hook/handlers.hpp"

namespace hook {

Verdict restore(const HookContext& context, const Vm& vm) {
  if (auto removed = IncomingMigrations(context.host.directory).discard(vm.uuid); !removed) {
    context.host.log_event(events.announcement_not_removed, vm, {{"error", removed.error().what}});
  }
  return Verdict::pass();
}

}  // namespace hook
