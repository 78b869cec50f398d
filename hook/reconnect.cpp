#include "guard/host/vm_flock.hpp"
#include "guard/lock/acquire.hpp"
#include "guard/lock/denial.hpp"
#include "hook/check_incoming.hpp"
#include "hook/handlers.hpp"
#include "hook/record_qemu.hpp"

namespace hook {
namespace {

void adopt(const World& world, const Vm& vm, const Acquire& acquire, const Answer& answer,
           PendingCall& pending) {
  Record record{vm, acquire.since(), Origin::adopted, process_in_pid_file(vm, world.pid_files)};
  record.domain = world.settings.dlmfs.domain;
  // Without a record the lock stays all the same: the VM runs.
  if (auto written = world.records().write(record); !written) {
    world.log_event(events::record_not_written, vm, {{"error", written.error().what}});
  }
  pending.take_over();
  world.log_event(events::adopted, vm, {{"kept", answer.kept ? "yes" : "no"}});
}

Verdict conflict(const World& world, const Vm& vm, const Answer& answer) {
  bool kill = world.settings.guard.on_reconnect_conflict == conf::OnReconnectConflict::kill;
  world.log_event(
      events::conflict, vm,
      {{"here", world.host}, {"holder", holder_name(answer)}, {"action", kill ? "kill" : "keep"}});
  if (!kill) return Verdict::pass();
  return Verdict::deny(fmt::format(
      "start-guard: VM '{}' ({}) is killed here: it ran on {} while host {} holds its lock",
      vm.name, vm.uuid.text(), world.host, holder_name(answer)));
}

}  // namespace

Verdict reconnect(const World& world, const Vm& vm) {
  if (world.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto flock = VmFlock::acquire(world.state, vm.uuid, "reconnect", world.deadline);
  if (!flock) {
    world.log_event(events::lock_not_checked, vm, {{"error", flock.error().what}});
    return Verdict::pass();
  }
  auto record = world.load_record(vm);
  if (auto verdict = check_incoming(world, vm, record); verdict.denied) return verdict;
  if (record && world.keeper->level(vm).level) {
    world.log_event(events::held, vm, {{"kept", "yes"}});
    return Verdict::pass();
  }
  Acquire acquire(world, *world.keeper, vm, Purpose::keep, record);
  auto pending = world.runner->send(acquire);
  Answer answer = pending->answer(world.deadline);
  switch (answer.kind) {
    case Answer::Kind::granted:
      if (!record) {
        adopt(world, vm, acquire, answer, *pending);
      } else {
        pending->take_over();
        world.log_event(events::held, vm, {{"kept", answer.kept ? "yes" : "no"}});
      }
      return Verdict::pass();
    case Answer::Kind::asking:
      flock->left_waiting();
      return conflict(world, vm, answer);
    case Answer::Kind::denied:
      return conflict(world, vm, answer);
    default:
      if (pending->left_behind()) flock->left_waiting();
      world.log_event(events::lock_not_checked_at_reconnect, vm,
                      {{"error", denial_reason(vm, answer, world.settings.guard.acquire_timeout)}});
      return Verdict::pass();
  }
}

}  // namespace hook
