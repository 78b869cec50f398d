#include "guard/keeper/conflicts.hpp"

namespace guard {

void Conflicts::tell(const Vm& vm, const std::optional<Holder>& holder) {
  if (!told_.insert(vm.uuid).second) return;
  world_.log_event(
      LOG_CRIT, "conflict", vm,
      {{"here", world_.host}, {"holder", holder ? holder->host : "unknown"}, {"action", "keep"}});
}

}  // namespace guard
