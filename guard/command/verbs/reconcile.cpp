#include "guard/command/verbs/reconcile.hpp"

#include <algorithm>

#include "guard/command/lock_inventory.hpp"
#include "guard/command/verbs/all.hpp"
#include "guard/keeper/lock_operations.hpp"
#include "guard/lock/conflict.hpp"

namespace guard::command {
namespace {

enum class Task { acquire, unlock, keep };

struct Planned {
  InventoryEntry vm;
  Task task;
};

std::optional<Task> task_for(const InventoryEntry& vm, bool keeper_runs) {
  for (const Anomaly& anomaly : anomalies_of(vm, keeper_runs)) {
    switch (anomaly.kind) {
      case AnomalyKind::runs_without_lock:
        return Task::acquire;
      case AnomalyKind::left_over:
      case AnomalyKind::being_unlocked:
        return Task::unlock;
      case AnomalyKind::not_kept:
        return Task::keep;
      case AnomalyKind::detached:
      case AnomalyKind::waited_for:
      case AnomalyKind::waiter_not_seen:
      case AnomalyKind::outlived:
      case AnomalyKind::qemu_not_seen:
      case AnomalyKind::shared:
      case AnomalyKind::keeper_down:
      case AnomalyKind::record_unreadable:
      case AnomalyKind::unchecked_driver:
        break;
    }
  }
  return std::nullopt;
}

std::vector<Planned> plan(const LockInventory& seen) {
  std::vector<Planned> planned;
  for (const InventoryEntry& vm : seen.vms) {
    if (auto task = task_for(vm, seen.keeper_runs)) planned.push_back({vm, *task});
  }
  return planned;
}

std::string_view words(Task task) {
  switch (task) {
    case Task::acquire:
      return "acquire the lock: the VM runs here without it";
    case Task::unlock:
      return "unlock: no such VM runs here";
    case Task::keep:
      return "have start-guard.service keep the lock";
  }
  return "";
}

void unlock_here(const VerbContext& context, const Vm& vm) {
  const Context& base = context.base;
  auto lock_traces = lock_operations::lock_traces(base);
  if (!lock_traces || !lock_traces->contains(vm.uuid)) return;
  // Ask again, since the traces are newer than libvirt's first answer: the VM may have been started
  // in between.
  auto state = context.libvirt.state_of(vm.uuid);
  if (!state || state->active) return;
  Pins pins;
  NoFdStore not_the_keeper;
  auto result = lock_operations::unlock(base, vm, lock_traces->at(vm.uuid), pins, not_the_keeper);
  if (result && result->kind == UnlockResult::Kind::unlocked) {
    base.host.log_event(events.unlocked_later, vm, {{"by", "operator"}});
  }
}

void acquire_here(const VerbContext& context, const Vm& vm) {
  Pins pins;
  const std::atomic<bool> passed_to_the_keeper = false;
  auto result = lock_operations::adopt(context.base, vm, pins, passed_to_the_keeper);
  if (!result) return;
  if (result->kind == AcquireResult::Kind::granted) context.base.host.log_event(events.adopted, vm);
  if (result->kind == AcquireResult::Kind::denied) log_conflict(context.base, vm, result->holder);
}

void perform_here(const VerbContext& context, const Planned& planned) {
  if (planned.task == Task::unlock) return unlock_here(context, planned.vm.vm);
  acquire_here(context, planned.vm.vm);
}

/// Waits about 3 s at most until the keeper, which works in parallel, has finished. Returns what is
/// still to do.
std::vector<Planned> wait_for_keeper(const VerbContext& context, std::vector<Planned> planned) {
  constexpr int tries = 30;
  constexpr std::chrono::milliseconds between{100};
  std::vector<Planned> left = std::move(planned);
  for (int i = 0; i < tries && !left.empty(); ++i) {
    context.base.cluster.pause(between);
    left = plan(take_inventory(context));
  }
  return left;
}

bool among(const std::vector<Planned>& those, const InventoryEntry& vm) {
  return std::any_of(those.begin(), those.end(),
                     [&](const Planned& each) { return each.vm.vm.uuid == vm.vm.uuid; });
}

}  // namespace

Outcome reconcile(const VerbContext& context, bool dry_run) {
  LockInventory seen = take_inventory(context);
  for (const std::string& trouble : {seen.cluster_trouble, seen.libvirt_trouble}) {
    if (!trouble.empty()) return failure(ExitStatus::unavailable, trouble);
  }
  auto planned = plan(seen);
  Outcome outcome;
  if (planned.empty()) return {0, "", "nothing to do: locks and VMs match\n"};
  if (dry_run) {
    for (const Planned& each : planned)
      outcome.out += fmt::format("{}: would {}\n", display_name(each.vm.vm.name), words(each.task));
    return outcome;
  }
  std::vector<Planned> left;
  if (context.keeper.reconcile()) {
    left = wait_for_keeper(context, planned);
  } else {
    for (const Planned& each : planned)
      perform_here(context, each);
    left = plan(take_inventory(context));
  }
  for (const Planned& each : planned) {
    bool done = !among(left, each.vm);
    outcome.out += fmt::format("{}: {}: {}\n", display_name(each.vm.vm.name), words(each.task),
                               done ? "done" : "failed, see the log (journalctl -t start-guard)");
    if (!done) outcome.status = static_cast<int>(ExitStatus::failed);
  }
  return outcome;
}

void add_reconcile(CommandLine& command_line) {
  auto dry_run = std::make_shared<bool>(false);
  command_line
      .add_with_context(
          "reconcile", "Compare locks with VMs now, and correct what differs",
          [dry_run](const VerbContext& context) { return reconcile(context, *dry_run); })
      ->add_flag("--dry-run", *dry_run, "only say what would be done");
}

}  // namespace guard::command
