#include "guard/reconnect.hpp"

#include "guard/incoming.hpp"
#include "guard/message.hpp"
#include "guard/note_qemu.hpp"
#include "guard/take.hpp"
#include "guard/vm_flock.hpp"

namespace guard {
namespace {

void adopt(const World& world, const Vm& vm, const Take& take, const Answer& answer, Sent& sent) {
  Record record{vm, take.since(), How::adopted, process_in_pid_file(vm, world.pid_files)};
  record.domain = world.settings.dlmfs.domain;
  // Without a record the lock stays all the same: the VM runs.
  if (auto written = world.records().write(record); !written) {
    world.log_event(LOG_ERR, "record-not-written", vm, {{"error", written.error().what}});
  }
  sent.take_over();
  world.log_event(LOG_NOTICE, "adopted", vm, {{"kept", answer.kept ? "yes" : "no"}});
}

Verdict conflict(const World& world, const Vm& vm, const Answer& answer) {
  bool kill = world.settings.guard.on_reconnect_conflict == conf::OnReconnectConflict::kill;
  world.log_event(
      LOG_CRIT, "conflict", vm,
      {{"here", world.host}, {"holder", holder_name(answer)}, {"action", kill ? "kill" : "keep"}});
  if (!kill) return Verdict::pass();
  return Verdict::refuse(fmt::format(
      "start-guard: VM '{}' ({}) is killed here: it ran on {} while host {} holds its lock",
      vm.name, vm.uuid.text(), world.host, holder_name(answer)));
}

}  // namespace

Verdict reconnect(const World& world, const Vm& vm) {
  if (world.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto flock = VmFlock::take(world.state, vm.uuid, "reconnect", world.deadline);
  if (!flock) {
    world.log_event(LOG_ERR, "lock-not-checked", vm, {{"error", flock.error().what}});
    return Verdict::pass();
  }
  auto record = world.recall(vm);
  if (auto verdict = check_incoming(world, vm, record); verdict.refused) return verdict;
  if (record && world.keeper->level(vm).level) {
    world.log_event(LOG_INFO, "held", vm, {{"kept", "yes"}});
    return Verdict::pass();
  }
  Take take(world, *world.keeper, vm, Purpose::keep, record);
  auto sent = world.runner->send(take);
  Answer answer = sent->answer(world.deadline);
  switch (answer.kind) {
    case Answer::Kind::granted:
      if (!record) {
        adopt(world, vm, take, answer, *sent);
      } else {
        sent->take_over();
        world.log_event(LOG_INFO, "held", vm, {{"kept", answer.kept ? "yes" : "no"}});
      }
      return Verdict::pass();
    case Answer::Kind::asking:
      flock->left_waiting();
      return conflict(world, vm, answer);
    case Answer::Kind::denied:
      return conflict(world, vm, answer);
    default:
      if (sent->left_behind()) flock->left_waiting();
      world.log_event(LOG_CRIT, "lock-not-checked", vm,
                      {{"error", obstacle(vm, answer, world.settings.guard.acquire_timeout)}});
      return Verdict::pass();
  }
}

}  // namespace guard
