#include "hook/acquire_for_start.hpp"

#include "guard/lock/denial.hpp"

namespace hook {
namespace {

constexpr const char* domain_file = "hook.domain";

void log_granted(const HookContext& context, const Vm& vm, const AcquireResult& result) {
  // "no": no keeper has the lock open, so a queued request of another host can lower it.
  std::string kept = result.kept ? "yes" : "no";
  if (result.shared) {
    context.host.log_event(
        events.granted_by_hand_over, vm,
        {{"how", "hand-over"}, {"from", holder_name(result.holder)}, {"kept", kept}});
  } else {
    context.host.log_event(events.granted, vm, {{"how", "start"}, {"kept", kept}});
  }
  if (!result.why.empty())
    context.host.log_event(events.bell_not_written, vm, {{"error", result.why}});
}

Verdict granted(const HookContext& context, const Acquire& acquire, const AcquireResult& result,
                PendingCall& pending) {
  const Vm& vm = acquire.vm();
  if (acquire.purpose() == Purpose::start) {
    auto how = result.shared ? Origin::hand_over : Origin::start;
    Record record{vm, acquire.since(), how};
    record.shared = result.shared;
    record.domain = context.cluster.domain;
    if (auto written = context.host.records().write(record); !written) {
      return deny(context, vm,
                  fmt::format("its record can't be written, so it could not be unlocked later: {}; "
                              "make room there, or mount it writable",
                              written.error().what));
    }
    if (!all_locks_in_configured_domain(context)) {
      std::ignore = context.host.directory.write(domain_file, context.cluster.domain);
    }
    log_granted(context, vm, result);
  }
  pending.accept();
  return Verdict::pass();
}

bool starts_without_lock(const HookContext& context, const AcquireResult& result) {
  return result.kind == AcquireResult::Kind::cluster_down &&
         context.settings.guard.on_cluster_down == conf::OnClusterDown::allow;
}

/// Removes the record of the last run, which has ended. A VM that starts without a lock has no
/// record: with an old one it would count as released, or as the target of a migration.
void forget_last_run(const HookContext& context, const Vm& vm) {
  if (auto removed = context.host.records().remove(vm.uuid); !removed) {
    context.host.log_event(events.record_not_removed, vm, {{"error", removed.error().what}});
  }
}

Verdict not_granted(const HookContext& context, const Vm& vm, const AcquireResult& result,
                    bool migrating) {
  if (starts_without_lock(context, result)) {
    context.host.log_event(events.unguarded, vm, {{"reason", result.why}});
    return Verdict::pass();
  }
  if (migrating)
    return deny(context, vm,
                migration_denial_reason(context.cluster, vm, result,
                                        context.settings.guard.acquire_timeout));
  return deny(context, vm, denial_reason(vm, result, context.settings.guard.acquire_timeout));
}

}  // namespace

Verdict deny(const HookContext& context, const Vm& vm, const std::string& reason) {
  context.host.log_event(events.denied, vm, {{"reason", reason}});
  return Verdict::deny(denial(vm, reason));
}

bool all_locks_in_configured_domain(const HookContext& context) {
  auto noted = context.host.directory.read(domain_file);
  return noted && *noted && **noted == context.cluster.domain;
}

Verdict acquire_for_start(const HookContext& context, const Vm& vm, VmFlock flock,
                          const std::optional<Record>& record, Purpose purpose,
                          std::optional<IncomingMigration> announcement) {
  Acquire acquire(context, *context.keeper, vm, purpose, record, context.deadline, announcement);
  auto pending = context.runner->start(acquire);
  AcquireResult result = wait_for_result(*pending, context.deadline);
  if (result.kind == AcquireResult::Kind::granted)
    return granted(context, acquire, result, *pending);
  if (pending->abandoned()) {
    flock.mark_abandoned();
  } else {
    pending.reset();  // waits for the child, so that it does nothing after this
    bool forget = record && purpose == Purpose::start && starts_without_lock(context, result);
    if (forget) forget_last_run(context, vm);
    if (!record || forget) std::move(flock).dissolve();
  }
  return not_granted(context, vm, result, announcement.has_value());
}

}  // namespace hook
