#include "hook/acquire_for_start.hpp"

#include "guard/lock/denial.hpp"

namespace hook {
namespace {

constexpr const char* domain_file = "hook.domain";

void log_granted(const World& world, const Vm& vm, const Answer& answer) {
  // The kernel keeps a lock that no process has open, but another host may then queue it away.
  std::string kept = answer.kept ? "yes" : "no";
  if (answer.shared) {
    world.log_event(events::granted_by_hand_over, vm,
                    {{"how", "hand-over"}, {"from", holder_name(answer)}, {"kept", kept}});
  } else {
    world.log_event(events::granted, vm, {{"how", "start"}, {"kept", kept}});
  }
  if (!answer.why.empty()) world.log_event(events::bell_not_written, vm, {{"error", answer.why}});
}

Verdict granted(const World& world, const Acquire& acquire, const Answer& answer,
                PendingCall& pending) {
  const Vm& vm = acquire.vm();
  if (acquire.purpose() == Purpose::start) {
    auto how = answer.shared ? Origin::hand_over : Origin::start;
    Record record{vm, acquire.since(), how};
    record.shared = answer.shared;
    record.domain = world.settings.dlmfs.domain;
    if (auto written = world.records().write(record); !written) {
      return deny(world, vm,
                  fmt::format("its record can't be written, so it could not be unlocked later: {}; "
                              "make room there, or mount it writable",
                              written.error().what));
    }
    if (!domain_is_recorded(world)) {
      std::ignore = world.state.write(domain_file, world.settings.dlmfs.domain);
    }
    log_granted(world, vm, answer);
  }
  pending.take_over();
  return Verdict::pass();
}

Verdict not_granted(const World& world, const Vm& vm, const Answer& answer, bool migrating) {
  using Kind = Answer::Kind;
  if (answer.kind == Kind::cluster_down &&
      world.settings.guard.on_cluster_down == conf::OnClusterDown::allow) {
    world.log_event(events::unguarded, vm, {{"reason", answer.why}});
    return Verdict::pass();
  }
  if (migrating) return deny(world, vm, migration_denial_reason(world, vm, answer));
  return deny(world, vm, denial_reason(vm, answer, world.settings.guard.acquire_timeout));
}

}  // namespace

Verdict deny(const World& world, const Vm& vm, const std::string& reason) {
  world.log_event(events::denied, vm, {{"reason", reason}});
  return Verdict::deny(denial(vm, reason));
}

bool domain_is_recorded(const World& world) {
  auto noted = world.state.read(domain_file);
  return noted && *noted && **noted == world.settings.dlmfs.domain;
}

Verdict acquire_for_start(const World& world, const Vm& vm, VmFlock flock,
                          const std::optional<Record>& record, Purpose purpose,
                          std::optional<IncomingMigration> marker) {
  Acquire acquire(world, *world.keeper, vm, purpose, record, marker);
  auto pending = world.runner->send(acquire);
  Answer answer = pending->answer(world.deadline);
  if (answer.kind == Answer::Kind::granted) return granted(world, acquire, answer, *pending);
  if (pending->left_behind()) {
    flock.left_waiting();
  } else {
    pending.reset();  // sees the child through, so that it does nothing after this
    if (!record) std::move(flock).dissolve();
  }
  return not_granted(world, vm, answer, marker.has_value());
}

}  // namespace hook
