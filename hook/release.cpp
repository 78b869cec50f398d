#include <algorithm>

#include "guard/lock/denial.hpp"
#include "guard/lock/unlock.hpp"
#include "guard/state/vm_flock.hpp"
#include "hook/handlers.hpp"

namespace hook {
namespace {

/// Adds the last disks to the record. libvirt attaches and detaches disks without a hook, so the
/// files that QEMU had open at `started` are complete only if the disks are unchanged.
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

/// Writes into the record that the VM is released. Call this before the attempt to unlock: then the
/// keeper unlocks even if this process is killed. Call it only with the VM's flock, for a record
/// that was read with it.
void mark_released(const HookContext& context, const Vm& vm, Record& record) {
  record.released = true;
  note_last_disks(vm, record);
  context.host.write_record(record);
}

void log_last_run(const HookContext& context, const Vm& vm, const LastRun& last_run) {
  switch (last_run.kind) {
    case LastRun::Kind::qemu_alive:
      return context.host.log_event(
          events.qemu_outlives_release, vm,
          {{"pid", std::to_string(last_run.qemu.pid)}, {"lock", "stays"}});
    case LastRun::Kind::qemu_unknown:
      return context.host.log_event(events.qemu_not_seen, vm,
                                    {{"error", last_run.why}, {"lock", "stays"}});
    case LastRun::Kind::io_in_flight:
      return context.host.log_event(events.io_in_flight, vm,
                                    {{"error", last_run.why}, {"lock", "stays"}});
  }
}

void log_unlocked(const HookContext& context, const Vm& vm) {
  if (!context.reason) return context.host.log_event(events.unlocked, vm);
  context.host.log_event(events.unlocked, vm, {{"reason", *context.reason}});
}

void log_result(const HookContext& context, const Vm& vm, const UnlockResult& result) {
  switch (result.kind) {
    case UnlockResult::Kind::unlocked:
      log_unlocked(context, vm);
      if (!result.why.empty()) {
        context.host.log_event(events.record_not_removed, vm, {{"error", result.why}});
      }
      return;
    case UnlockResult::Kind::last_run:
      return log_last_run(context, vm, *result.last_run);
    case UnlockResult::Kind::file_in_use:
      return context.host.log_event(events.lock_open_here, vm,
                                    {{"error", result.why}, {"lock", "stays"}});
    case UnlockResult::Kind::cluster_down:
    case UnlockResult::Kind::failed:
    case UnlockResult::Kind::no_answer:
      return context.host.log_event(
          events.not_unlocked, vm,
          {{"error", unlock_failure(result, context.settings.guard.acquire_timeout)}});
  }
}

}  // namespace

/// While the daemon that made this call waits for it, no other hook of that daemon runs for the VM,
/// so the VM has not been started again on this host. The VM's flock prevents a start from then on.
/// Without either of them, the record may be of a later run, and this call must not unlock it.
Verdict release(const HookContext& context, const Vm& vm) {
  if (!context.host.records().stamp(vm.uuid)) return Verdict::pass();
  auto flock = VmFlock::acquire(context.host.directory, vm.uuid, "release", context.deadline);
  if (!flock) {
    context.host.log_event(events.not_unlocked, vm, {{"error", flock.error().what}});
    context.keeper->reconcile();
    return Verdict::pass();
  }
  auto record = context.host.load_record(vm);
  if (!record) {
    std::move(*flock).dissolve();
    return Verdict::pass();
  }
  if (context.caller.gone()) {
    context.host.log_event(events.caller_gone, vm, {{"operation", "release"}, {"lock", "stays"}});
    context.keeper->reconcile();
    return Verdict::pass();
  }
  mark_released(context, vm, *record);
  Unlock unlock(context, *context.keeper, vm, record);
  auto pending = context.runner->start(unlock);
  UnlockResult result = wait_for_unlock(*pending, context.deadline);
  if (pending->abandoned()) flock->mark_abandoned();
  if (result.kind == UnlockResult::Kind::unlocked) {
    pending.reset();
    std::move(*flock).dissolve();
  } else {
    context.keeper->look(vm);
  }
  log_result(context, vm, result);
  return Verdict::pass();
}

}  // namespace hook
