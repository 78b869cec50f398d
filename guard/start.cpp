#include "guard/start.hpp"

#include "guard/marker.hpp"
#include "guard/message.hpp"
#include "guard/note_qemu.hpp"
#include "guard/reconnect.hpp"
#include "guard/take.hpp"
#include "guard/vm_flock.hpp"

namespace guard {
namespace {

Verdict deny(const World& world, const Vm& vm, const std::string& obstacle) {
  world.log_event(LOG_WARNING, "denied", vm, {{"reason", obstacle}});
  return Verdict::refuse(refusal(vm, obstacle));
}

Verdict exempt(const World& world, const Vm& vm) {
  world.log_event(LOG_INFO, "exempt", vm);
  return Verdict::pass();
}

Verdict granted(const World& world, const Take& take, const Answer& answer, Sent& sent) {
  const Vm& vm = take.vm();
  if (auto written = world.records().write({vm, take.since(), How::start}); !written) {
    return deny(world, vm,
                fmt::format("its record can't be written, so its lock could not be given back "
                            "later: {}; make room there, or mount it writable",
                            written.error().what));
  }
  sent.take_over();
  if (take.purpose() == Purpose::start) {
    // The kernel keeps a lock that no process has open, but another host may then queue it away.
    world.log_event(LOG_INFO, "granted", vm, {{"kept", "no"}});
  }
  if (!answer.why.empty()) world.log_event(LOG_WARNING, "bell-silent", vm, {{"error", answer.why}});
  return Verdict::pass();
}

Verdict not_granted(const World& world, const Vm& vm, const Answer& answer, bool migrating) {
  using Kind = Answer::Kind;
  if (answer.kind == Kind::cluster_down &&
      world.settings.guard.on_cluster_down == conf::OnClusterDown::allow) {
    world.log_event(LOG_CRIT, "unguarded", vm, {{"reason", answer.why}});
    return Verdict::pass();
  }
  if (answer.kind == Kind::denied && migrating) {
    return deny(world, vm, migration_obstacle(vm, answer));
  }
  return deny(world, vm, obstacle(vm, answer, world.settings.guard.acquire_timeout));
}

Verdict take_for_start(const World& world, const Vm& vm, VmFlock flock,
                       const std::optional<Record>& record, Purpose purpose, bool migrating) {
  Take take(world, vm, purpose, record);
  auto sent = world.runner->send(take);
  Answer answer = sent->answer(world.deadline);
  if (answer.kind == Answer::Kind::granted) return granted(world, take, answer, *sent);
  if (sent->left_behind()) {
    flock.left_waiting();
  } else {
    sent.reset();  // sees the child through, so that it does nothing after this
    if (!record) std::move(flock).dissolve();
  }
  return not_granted(world, vm, answer, migrating);
}

}  // namespace

Verdict prepare(const World& world, const Vm& vm) {
  // Used up even by a VM that is exempt: it counts for this start only.
  bool migrating =
      Markers(world.state).use_up(vm.uuid, world.daemon, world.settings.guard.migrate_window);
  if (world.settings.exempts(vm.name)) return exempt(world, vm);
  auto flock = VmFlock::take(world.state, vm.uuid, "prepare", world.deadline);
  if (!flock) return deny(world, vm, flock.error().what);
  return take_for_start(world, vm, std::move(*flock), world.recall(vm), Purpose::start, migrating);
}

Verdict start(const World& world, const Vm& vm) {
  if (world.settings.exempts(vm.name)) return Verdict::pass();
  auto flock = VmFlock::take(world.state, vm.uuid, "start", world.deadline);
  if (!flock) return deny(world, vm, flock.error().what);
  auto record = world.recall(vm);
  auto purpose = record ? Purpose::keep : Purpose::start;
  return take_for_start(world, vm, std::move(*flock), record, purpose, false);
}

Verdict started(const World& world, const Vm& vm) {
  if (world.settings.exempts(vm.name)) return Verdict::pass();
  if (!world.recall(vm)) return reconnect(world, vm);
  note_qemu(world, vm, "started");
  return Verdict::pass();
}

Verdict migrate(const World& world, const Vm& vm) {
  if (auto written = Markers(world.state).write(vm.uuid, world.daemon); !written) {
    world.log_event(LOG_ERR, "marker-not-written", vm, {{"error", written.error().what}});
  }
  return Verdict::pass();
}

}  // namespace guard
