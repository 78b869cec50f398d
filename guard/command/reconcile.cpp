#include "guard/command/reconcile.hpp"

#include <algorithm>

#include "guard/command/survey.hpp"
#include "guard/keeper/steps.hpp"
#include "guard/message.hpp"

namespace guard::command {
namespace {

enum class Task { take, give_back, keep };

struct Planned {
  Surveyed vm;
  Task task;
};

std::optional<Task> task_for(const Surveyed& vm, bool keeper_runs) {
  for (const Remark& remark : remarks_on(vm, keeper_runs)) {
    switch (remark.oddity) {
      case Oddity::runs_without_lock:
        return Task::take;
      case Oddity::left_over:
      case Oddity::going_back:
        return Task::give_back;
      case Oddity::not_kept:
        return Task::keep;
      default:
        break;
    }
  }
  return std::nullopt;
}

std::vector<Planned> plan(const Survey& seen) {
  std::vector<Planned> planned;
  for (const Surveyed& vm : seen.vms) {
    if (auto task = task_for(vm, seen.keeper_runs)) planned.push_back({vm, *task});
  }
  return planned;
}

std::string_view words(Task task) {
  switch (task) {
    case Task::take:
      return "take the lock: it runs here without";
    case Task::give_back:
      return "give the lock back: no such VM runs here";
    case Task::keep:
      return "have start-guard.service keep the lock";
  }
  return "";
}

void give_back_here(const Desk& desk, const Vm& vm) {
  const World& world = desk.world;
  auto traces = steps::traces(world);
  if (!traces || !traces->contains(vm.uuid)) return;
  // Once more, since the trace is newer than what libvirt said: it may have been started since.
  auto state = desk.libvirt.state_of(vm.uuid);
  if (!state || state->active) return;
  Pins pins;
  NoFdStore not_the_keeper;
  auto answer = steps::give_back(world, vm, traces->at(vm.uuid), pins, not_the_keeper);
  if (answer && answer->kind == Answer::Kind::given_back) {
    world.log_event(LOG_NOTICE, "given-back", vm, {{"by", "operator"}});
  }
}

void take_here(const Desk& desk, const Vm& vm) {
  Pins pins;
  auto answer = steps::adopt(desk.world, vm, pins);
  if (!answer) return;
  if (answer->kind == Answer::Kind::granted) desk.world.log_event(LOG_NOTICE, "adopted", vm);
  if (answer->kind == Answer::Kind::denied) {
    desk.world.log_event(
        LOG_CRIT, "conflict", vm,
        {{"here", desk.world.host}, {"holder", holder_name(*answer)}, {"action", "keep"}});
  }
}

void do_here(const Desk& desk, const Planned& planned) {
  if (planned.task == Task::give_back) return give_back_here(desk, planned.vm.vm);
  take_here(desk, planned.vm.vm);
}

/// Until nothing is left of what was planned, or patience ends: the keeper works beside this.
std::vector<Planned> wait_for_keeper(const Desk& desk, std::vector<Planned> planned) {
  constexpr int tries = 30;
  constexpr std::chrono::milliseconds between{100};
  std::vector<Planned> left = std::move(planned);
  for (int i = 0; i < tries && !left.empty(); ++i) {
    desk.world.pause(between);
    left = plan(survey(desk));
  }
  return left;
}

bool among(const std::vector<Planned>& those, const Surveyed& vm) {
  return std::any_of(those.begin(), those.end(),
                     [&](const Planned& each) { return each.vm.vm.uuid == vm.vm.uuid; });
}

}  // namespace

Outcome reconcile(const Desk& desk, bool dry_run) {
  Survey seen = survey(desk);
  for (const std::string& trouble : {seen.cluster_trouble, seen.libvirt_trouble}) {
    if (!trouble.empty()) return failure(ExitStatus::unavailable, trouble);
  }
  auto planned = plan(seen);
  Outcome outcome;
  if (planned.empty()) return {0, "", "nothing to do: locks and VMs agree\n"};
  if (dry_run) {
    for (const Planned& each : planned)
      outcome.out += fmt::format("{}: would {}\n", display_name(each.vm.vm.name), words(each.task));
    return outcome;
  }
  std::vector<Planned> left;
  if (desk.world.keeper->reconcile()) {
    left = wait_for_keeper(desk, planned);
  } else {
    for (const Planned& each : planned)
      do_here(desk, each);
    left = plan(survey(desk));
  }
  for (const Planned& each : planned) {
    bool done = !among(left, each.vm);
    outcome.out += fmt::format("{}: {}: {}\n", display_name(each.vm.vm.name), words(each.task),
                               done ? "done" : "not done, see the log (journalctl -t start-guard)");
    if (!done) outcome.status = static_cast<int>(ExitStatus::failed);
  }
  return outcome;
}

}  // namespace guard::command
