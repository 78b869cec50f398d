#pragma once

#include <optional>
#include <set>

#include "guard/lock/bell.hpp"
#include "guard/lock/context.hpp"

namespace guard {

/// VMs that run here, and whose lock another host has. The keeper does nothing about one but to
/// tell, once, until it is over: it kills no VM.
class Conflicts {
 public:
  explicit Conflicts(const Context& context) : context_(context) {}

  /// `holder`: the other host, if it is known.
  void report(const Vm& vm, const std::optional<Holder>& holder);
  [[nodiscard]] bool reported(const dlmfs::Uuid& uuid) const { return reported_.contains(uuid); }
  void over(const dlmfs::Uuid& uuid) { reported_.erase(uuid); }

 private:
  const Context& context_;
  std::set<dlmfs::Uuid> reported_;
};

}  // namespace guard
