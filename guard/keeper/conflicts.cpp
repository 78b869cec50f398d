#include "guard/keeper/conflicts.hpp"

#include "guard/lock/conflict.hpp"

namespace guard {

void Conflicts::report(const Vm& vm, const std::optional<Holder>& holder) {
  if (!reported_.insert(vm.uuid).second) return;
  log_conflict(context_, vm, holder);
}

}  // namespace guard
