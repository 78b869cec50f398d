#include "guard/command/verbs/release_ended.hpp"

#include <algorithm>

#include "conf/escape.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/host/libvirt_daemons.hpp"
#include "guard/keeper/lock_operations.hpp"
#include "guard/lock/denial.hpp"
#include "guard/lock/last_run.hpp"

namespace guard::command {
namespace {

using lock_operations::LockTrace;
using Traces = std::map<dlmfs::Uuid, LockTrace>;

/// Returns the VMs that have a record, without a look at their locks.
Traces traces_of_records(const Context& context) {
  Traces traces;
  for (const auto& uuid : context.host.records().list().value_or(std::vector<dlmfs::Uuid>())) {
    traces[uuid].record = context.host.load_record(Vm{uuid.text(), uuid, unknown_driver});
  }
  return traces;
}

/// Returns the VM of a lock. One of unknown driver may be QEMU's.
Vm vm_of(const dlmfs::Uuid& uuid, const LockTrace& trace) {
  Vm vm = trace.record ? trace.record->vm : Vm{uuid.text(), uuid};
  if (vm.driver == unknown_driver) vm.driver = "qemu";
  return vm;
}

std::string line_about(const Vm& vm, const LastRun& last_run) {
  bool alive = last_run.kind == LastRun::Kind::qemu_alive;
  return fmt::format("{} {}: {}\n", alive ? std::to_string(last_run.qemu.pid) : "-",
                     conf::escape(vm.name, conf::any_length),
                     alive ? "its QEMU is alive" : last_run.why);
}

void add_not_ended(Outcome& outcome, const Vm& vm, const LastRun& last_run) {
  outcome.out += line_about(vm, last_run);
  outcome.status = static_cast<int>(ExitStatus::not_ended);
}

/// Returns an outcome that names the VMs whose last run may still write to a disk.
Outcome not_ended(const Context& context, const Traces& traces) {
  Outcome outcome;
  for (const auto& [uuid, trace] : traces) {
    Vm vm = vm_of(uuid, trace);
    if (auto last_run = find_last_run(context, vm, trace.record)) {
      add_not_ended(outcome, vm, *last_run);
    }
  }
  return outcome;
}

/// Adds the outcome for one more VM. ExitStatus::not_ended stays: it is the greatest of these.
void add(Outcome& outcome, const Outcome& more) {
  outcome.status = std::max(outcome.status, more.status);
  outcome.out += more.out;
  outcome.err += more.err;
}

Outcome lock_stays(const Vm& vm, const std::string& why) {
  return failure(ExitStatus::failed, fmt::format("the lock of VM '{}' stays: {}",
                                                 conf::escape(vm.name, conf::any_length), why));
}

Outcome unlock(const VerbContext& context, const Vm& vm, const LockTrace& trace) {
  Pins pins;
  NoFdStore no_store;
  auto result = lock_operations::unlock(context.base, vm, trace, pins, no_store);
  if (!result) return lock_stays(vm, "another operation is still running for the VM");
  Outcome outcome;
  switch (result->kind) {
    case UnlockResult::Kind::unlocked:
      context.base.host.log_event(events.unlocked_later, vm, {{"by", "shutdown"}});
      return outcome;
    case UnlockResult::Kind::last_run:
      add_not_ended(outcome, vm, *result->last_run);
      return outcome;
    default:
      return lock_stays(vm, unlock_failure(*result, context.base.settings.guard.acquire_timeout));
  }
}

}  // namespace

Outcome release_ended(const VerbContext& context) {
  const Context& base = context.base;
  // First, and without dlmfs: a shutdown must know of a VM that still runs, whatever the cluster
  // does.
  Outcome outcome = not_ended(base, traces_of_records(base));
  if (outcome.status != 0) return outcome;
  auto traces = lock_operations::lock_traces(base);
  if (!traces) return failure(ExitStatus::failed, traces.error().what);
  Traces unrecorded = *traces;
  std::erase_if(unrecorded, [](const auto& each) { return each.second.record.has_value(); });
  outcome = not_ended(base, unrecorded);
  if (outcome.status != 0) return outcome;

  // Later than the traces: a VM that a daemon starts after this has a newer record, and stays.
  auto daemons = libvirt_daemons(base.paths.processes);
  if (!daemons) return failure(ExitStatus::failed, daemons.error().what);
  if (!daemons->empty()) {
    return failure(ExitStatus::failed,
                   fmt::format("{} runs, process {}, and may be starting a VM: start-guard.service "
                               "unlocks what has ended",
                               daemons->front().name, daemons->front().pid));
  }
  for (const auto& [uuid, trace] : *traces) {
    if (!trace.record || trace.record->vm.driver != "qemu") continue;
    add(outcome, unlock(context, trace.record->vm, trace));
  }
  return outcome;
}

void add_release_ended(CommandLine& command_line) {
  command_line.add_with_context("release-ended",
                                "Unlock the VMs that have ended, while no daemon of libvirt runs",
                                release_ended);
}

}  // namespace guard::command
