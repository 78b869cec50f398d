#include "guard/lock/conflict.hpp"

#include "guard/lock/denial.hpp"

namespace guard {

void log_conflict(const Context& context, const Vm& vm, const std::optional<Holder>& holder,
                  const char* action) {
  context.host.log_event(
      events.conflict, vm,
      {{"here", context.cluster.host_name}, {"holder", holder_name(holder)}, {"action", action}});
}

}  // namespace guard
