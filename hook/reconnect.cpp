#include "conf/escape.hpp"
#include "guard/lock/acquire.hpp"
#include "guard/lock/conflict.hpp"
#include "guard/lock/denial.hpp"
#include "guard/state/vm_flock.hpp"
#include "hook/check_incoming.hpp"
#include "hook/handlers.hpp"
#include "hook/record_qemu.hpp"

namespace hook {
namespace {

void adopt(const HookContext& context, const Vm& vm, const Acquire& acquire,
           const AcquireResult& result, PendingCall& pending) {
  Record record{vm, acquire.since(), Origin::adopted,
                process_in_pid_file(vm, context.paths.pid_files, context.paths.processes)};
  record.domain = context.cluster.domain;
  // If the record cannot be written, keep the lock anyway: the VM runs.
  context.host.write_record(record);
  pending.accept();
  context.host.log_event(events.adopted, vm, {{"kept", result.kept ? "yes" : "no"}});
}

Verdict conflict(const HookContext& context, const Vm& vm, const AcquireResult& result) {
  bool kill = context.settings.guard.on_reconnect_conflict == conf::OnReconnectConflict::kill;
  log_conflict(context, vm, result.holder, kill ? "kill" : "keep");
  if (!kill) return Verdict::pass();
  return Verdict::deny(fmt::format(
      "start-guard: VM '{}' ({}) is killed here: it ran on {} while host {} holds its lock",
      conf::escape(vm.name, conf::any_length), vm.uuid.text(), context.cluster.host_name,
      holder_name(result.holder)));
}

}  // namespace

Verdict reconnect(const HookContext& context, const Vm& vm) {
  if (context.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto flock = VmFlock::acquire(context.host.directory, vm.uuid, "reconnect", context.deadline);
  if (!flock) {
    context.host.log_event(events.lock_not_checked, vm, {{"error", flock.error().what}});
    return Verdict::pass();
  }
  auto record = context.host.load_record(vm);
  if (auto verdict = check_incoming(context, vm, record); verdict.denied) return verdict;
  if (record && context.keeper->level(vm).level) {
    context.host.log_event(events.held, vm, {{"kept", "yes"}});
    return Verdict::pass();
  }
  Acquire acquire(context, *context.keeper, vm, Purpose::vm_may_run, record, context.deadline);
  auto pending = context.runner->start(acquire);
  AcquireResult result = wait_for_result(*pending, context.deadline);
  switch (result.kind) {
    case AcquireResult::Kind::granted:
      if (!record) {
        adopt(context, vm, acquire, result, *pending);
      } else {
        pending->accept();
        context.host.log_event(events.held, vm, {{"kept", result.kept ? "yes" : "no"}});
      }
      return Verdict::pass();
    case AcquireResult::Kind::asking_holder:
      flock->mark_abandoned();
      return conflict(context, vm, result);
    case AcquireResult::Kind::denied:
      return conflict(context, vm, result);
    case AcquireResult::Kind::keeper_needed:
    case AcquireResult::Kind::announced_before:
    case AcquireResult::Kind::last_run:
    case AcquireResult::Kind::cluster_down:
    case AcquireResult::Kind::failed:
    case AcquireResult::Kind::no_answer:
      break;
  }
  if (pending->abandoned()) flock->mark_abandoned();
  context.host.log_event(
      events.lock_not_checked_at_reconnect, vm,
      {{"error", denial_reason(vm, result, context.settings.guard.acquire_timeout)}});
  return Verdict::pass();
}

}  // namespace hook
