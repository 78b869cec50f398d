#pragma once

#include <optional>
#include <set>

#include "guard/world.hpp"

namespace guard {

/// VMs that run here, and whose lock another host has. The keeper does nothing about one but to
/// tell, once, until it is over: it kills no VM.
class Conflicts {
 public:
  explicit Conflicts(const World& world) : world_(world) {}

  /// `holder`: the other host, if it is known.
  void tell(const Vm& vm, const std::optional<Holder>& holder);
  [[nodiscard]] bool told(const dlmfs::Uuid& uuid) const { return told_.contains(uuid); }
  void over(const dlmfs::Uuid& uuid) { told_.erase(uuid); }

 private:
  const World& world_;
  std::set<dlmfs::Uuid> told_;
};

}  // namespace guard
