#include "conf/escape.hpp"
#include "guard/lock/wait_for_peers.hpp"
#include "guard/state/incoming_migration.hpp"
#include "hook/acquire_for_start.hpp"
#include "hook/handlers.hpp"

namespace hook {
namespace {

Verdict exempt(const HookContext& context, const Vm& vm) {
  context.host.log_event(events.exempt, vm);
  return Verdict::pass();
}

/// Returns why a start is denied if VMs of this host have their locks in another DLM domain than
/// the configured one. A file records that all locks are in the configured domain, so most starts
/// do not read all records.
std::optional<std::string> domain_denial_reason(const HookContext& context) {
  const std::string& domain = context.cluster.domain;
  if (all_locks_in_configured_domain(context)) return std::nullopt;
  auto others = context.host.records_outside(domain);
  if (others.empty()) return std::nullopt;
  std::string names;
  for (const Record& record : others)
    names += (names.empty() ? "" : ", ") + conf::escape(record.vm.name, conf::any_length);
  return fmt::format(
      "VMs of this host have their locks in the DLM domain '{0}', and dlmfs.domain is '{1}' now: "
      "two "
      "domains do not exclude each other; set it back to '{0}', or end these VMs first: {2}",
      others.front().domain, domain, names);
}

}  // namespace

Verdict prepare(const HookContext& context, const Vm& vm) {
  // Consume the announcement of a migration even if the VM is exempt: it is for this start only.
  auto announcement = IncomingMigrations(context.host.directory)
                          .consume(vm.uuid, context.caller, context.settings.guard.migrate_window);
  if (context.settings.exempts(vm.name, vm.uuid.text())) return exempt(context, vm);
  if (auto denial_reason = domain_denial_reason(context)) return deny(context, vm, *denial_reason);
  if (auto silent = wait_for_peers(context, *context.runner, context.deadline)) {
    return deny(context, vm, *silent);
  }
  auto flock = VmFlock::acquire(context.host.directory, vm.uuid, "prepare", context.deadline);
  if (!flock) return deny(context, vm, flock.error().what);
  return acquire_for_start(context, vm, std::move(*flock), context.host.load_record(vm),
                           Purpose::start, announcement);
}

}  // namespace hook
