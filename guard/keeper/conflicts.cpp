#include "guard/keeper/conflicts.hpp"

namespace guard {

void Conflicts::report(const Vm& vm, const std::optional<Holder>& holder) {
  if (!reported_.insert(vm.uuid).second) return;
  world_.log_event(
      events::conflict, vm,
      {{"here", world_.host}, {"holder", holder ? holder->host : "unknown"}, {"action", "keep"}});
}

}  // namespace guard
