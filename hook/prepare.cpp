#include "guard/host/incoming_migration.hpp"
#include "hook/acquire_for_start.hpp"
#include "hook/handlers.hpp"

namespace hook {
namespace {

Verdict exempt(const World& world, const Vm& vm) {
  world.log_event(events::exempt, vm);
  return Verdict::pass();
}

/// What stands in the way of a start if VMs of this host have their locks in another DLM domain
/// than the configuration names now. A file tells that they have not, so that no start reads all
/// records.
std::optional<std::string> domain_denial_reason(const World& world) {
  const std::string& domain = world.settings.dlmfs.domain;
  if (domain_is_recorded(world)) return std::nullopt;
  auto others = world.in_other_domains();
  if (others.empty()) return std::nullopt;
  std::string names;
  for (const Record& record : others)
    names += (names.empty() ? "" : ", ") + record.vm.name;
  return fmt::format(
      "VMs of this host have their locks in the DLM domain '{0}', and dlmfs.domain is '{1}' now: "
      "two "
      "domains do not exclude each other; set it back to '{0}', or end these VMs first: {2}",
      others.front().domain, domain, names);
}

}  // namespace

Verdict prepare(const World& world, const Vm& vm) {
  // Used up even by a VM that is exempt: it counts for this start only.
  auto marker = IncomingMigrations(world.state)
                    .consume(vm.uuid, world.caller, world.settings.guard.migrate_window);
  if (world.settings.exempts(vm.name, vm.uuid.text())) return exempt(world, vm);
  if (auto denial_reason = domain_denial_reason(world)) return deny(world, vm, *denial_reason);
  auto flock = VmFlock::acquire(world.state, vm.uuid, "prepare", world.deadline);
  if (!flock) return deny(world, vm, flock.error().what);
  return acquire_for_start(world, vm, std::move(*flock), world.load_record(vm), Purpose::start,
                           marker);
}

}  // namespace hook
