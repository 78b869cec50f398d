#pragma once

#include <optional>
#include <set>

#include "guard/lock/bell.hpp"
#include "guard/lock/context.hpp"

namespace guard {

/// The VMs that run here although another host holds their lock. The keeper logs each conflict
/// once, until it is over; it kills no VM. Use it only in the thread of the loop.
class Conflicts {
 public:
  explicit Conflicts(const Context& context) : context_(context) {}

  /// Logs the conflict, unless it is already logged. `holder`: the other host, if it is known.
  void report(const Vm& vm, const std::optional<Holder>& holder);
  [[nodiscard]] bool reported(const dlmfs::Uuid& uuid) const { return reported_.contains(uuid); }
  /// Records that the conflict is over: `report` logs the next one.
  void over(const dlmfs::Uuid& uuid) { reported_.erase(uuid); }

 private:
  const Context& context_;
  std::set<dlmfs::Uuid> reported_;
};

}  // namespace guard
