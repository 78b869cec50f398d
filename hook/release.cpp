#include <algorithm>

#include "guard/host/vm_flock.hpp"
#include "guard/lock/denial.hpp"
#include "guard/lock/unlock.hpp"
#include "hook/handlers.hpp"

namespace hook {
namespace {

/// Disks can be attached and detached without a hook, so the files that QEMU had open at `started`
/// are all there is only if the disks are still the same.
void note_last_disks(const Vm& vm, Record& record) {
  auto& disks = record.vm.io_uring_disks;
  if (vm.io_uring_disks && vm.io_uring_disks == disks) return;
  record.images.clear();
  if (!vm.io_uring_disks) return;
  if (!disks) disks.emplace();
  for (const std::string& disk : *vm.io_uring_disks) {
    if (std::find(disks->begin(), disks->end(), disk) == disks->end()) disks->push_back(disk);
  }
}

/// Said before the attempt: whatever ends this process, the record tells that the lock is to go.
/// Only with the VM's flock, and of a record that was read with it.
void mark_released(const World& world, const Vm& vm, Record& record) {
  record.released = true;
  note_last_disks(vm, record);
  if (auto written = world.records().write(record); !written) {
    world.log_event(events::record_not_written, vm, {{"error", written.error().what}});
  }
}

void log_outcome(const World& world, const Vm& vm, const Answer& answer) {
  switch (answer.kind) {
    case Answer::Kind::unlocked:
      world.log_event(events::unlocked, vm);
      if (!answer.why.empty()) {
        world.log_event(events::record_not_removed, vm, {{"error", answer.why}});
      }
      return;
    case Answer::Kind::qemu_lives:
      world.log_event(events::qemu_outlives_release, vm,
                      {{"pid", std::to_string(answer.qemu->pid)}, {"lock", "stays"}});
      return;
    case Answer::Kind::qemu_not_seen:
      world.log_event(events::qemu_not_seen, vm, {{"error", answer.why}, {"lock", "stays"}});
      return;
    case Answer::Kind::io_in_flight:
      world.log_event(events::io_in_flight, vm, {{"error", answer.why}, {"lock", "stays"}});
      return;
    case Answer::Kind::busy:
      world.log_event(events::lock_open_here, vm, {{"error", answer.why}, {"lock", "stays"}});
      return;
    default:
      world.log_event(events::not_unlocked, vm,
                      {{"error", denial_reason(vm, answer, world.settings.guard.acquire_timeout)}});
  }
}

}  // namespace

/// While the daemon that made this call waits for it, it has the VM to itself, so the VM has not
/// been started again on this host; and with the VM's flock it can't be. Without either the record
/// may be of a later run, which this call is not about.
Verdict release(const World& world, const Vm& vm) {
  if (!world.records().stamp(vm.uuid)) return Verdict::pass();
  auto flock = VmFlock::acquire(world.state, vm.uuid, "release", world.deadline);
  if (!flock) {
    world.log_event(events::not_unlocked, vm, {{"error", flock.error().what}});
    world.keeper->reconcile();
    return Verdict::pass();
  }
  auto record = world.load_record(vm);
  if (!record) {
    std::move(*flock).dissolve();
    return Verdict::pass();
  }
  if (world.caller.gone()) {
    world.log_event(events::caller_gone, vm, {{"operation", "release"}, {"lock", "stays"}});
    world.keeper->reconcile();
    return Verdict::pass();
  }
  mark_released(world, vm, *record);
  Unlock unlock(world, *world.keeper, vm, record);
  auto pending = world.runner->send(unlock);
  Answer answer = pending->answer(world.deadline);
  if (pending->left_behind()) flock->left_waiting();
  if (answer.kind == Answer::Kind::unlocked) {
    pending.reset();
    std::move(*flock).dissolve();
  } else {
    world.keeper->look(vm);
  }
  log_outcome(world, vm, answer);
  return Verdict::pass();
}

}  // namespace hook
