#include "guard/start.hpp"

#include "guard/incoming.hpp"
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

void log_granted(const World& world, const Vm& vm, const Answer& answer) {
  // The kernel keeps a lock that no process has open, but another host may then queue it away.
  std::string kept = answer.kept ? "yes" : "no";
  if (answer.shared) {
    world.log_event(LOG_NOTICE, "granted", vm,
                    {{"how", "hand-over"}, {"from", holder_name(answer)}, {"kept", kept}});
  } else {
    world.log_event(LOG_INFO, "granted", vm, {{"how", "start"}, {"kept", kept}});
  }
  if (!answer.why.empty()) world.log_event(LOG_WARNING, "bell-silent", vm, {{"error", answer.why}});
}

constexpr const char* domain_file = "hook.domain";

/// Whether the last lock that was taken here, and so each, is in the domain of the configuration.
bool domain_is_noted(const World& world) {
  auto noted = world.state.read(domain_file);
  return noted && *noted && **noted == world.settings.dlmfs.domain;
}

Verdict granted(const World& world, const Take& take, const Answer& answer, Sent& sent) {
  const Vm& vm = take.vm();
  if (take.purpose() == Purpose::start) {
    auto how = answer.shared ? How::hand_over : How::start;
    Record record{vm, take.since(), how};
    record.shared = answer.shared;
    record.domain = world.settings.dlmfs.domain;
    if (auto written = world.records().write(record); !written) {
      return deny(world, vm,
                  fmt::format("its record can't be written, so its lock could not be given back "
                              "later: {}; make room there, or mount it writable",
                              written.error().what));
    }
    if (!domain_is_noted(world)) {
      std::ignore = world.state.write(domain_file, world.settings.dlmfs.domain);
    }
    log_granted(world, vm, answer);
  }
  sent.take_over();
  return Verdict::pass();
}

Verdict not_granted(const World& world, const Vm& vm, const Answer& answer, bool migrating) {
  using Kind = Answer::Kind;
  if (answer.kind == Kind::cluster_down &&
      world.settings.guard.on_cluster_down == conf::OnClusterDown::allow) {
    world.log_event(LOG_CRIT, "unguarded", vm, {{"reason", answer.why}});
    return Verdict::pass();
  }
  if (migrating) return deny(world, vm, migration_obstacle(world, vm, answer));
  return deny(world, vm, obstacle(vm, answer, world.settings.guard.acquire_timeout));
}

/// What stands in the way of a start if VMs of this host have their locks in another DLM domain
/// than the configuration names now. A file tells that they have not, so that no start reads all
/// records.
std::optional<std::string> domain_obstacle(const World& world) {
  const std::string& domain = world.settings.dlmfs.domain;
  if (domain_is_noted(world)) return std::nullopt;
  auto others = world.in_other_domains();
  if (others.empty()) return std::nullopt;
  std::string names;
  for (const Record& record : others)
    names += (names.empty() ? "" : ", ") + record.vm.name;
  return fmt::format(
      "VMs of this host have their locks in the DLM domain '{0}', and dlmfs.domain is '{1}' now: "
      "two "
      "domains do not exclude each other; set it back to '{0}', or end these VMs first: {2}",
      others.front().domain, domain, names);
}

Verdict take_for_start(const World& world, const Vm& vm, VmFlock flock,
                       const std::optional<Record>& record, Purpose purpose,
                       std::optional<Marker> marker) {
  Take take(world, *world.keeper, vm, purpose, record, marker);
  auto sent = world.runner->send(take);
  Answer answer = sent->answer(world.deadline);
  if (answer.kind == Answer::Kind::granted) return granted(world, take, answer, *sent);
  if (sent->left_behind()) {
    flock.left_waiting();
  } else {
    sent.reset();  // sees the child through, so that it does nothing after this
    if (!record) std::move(flock).dissolve();
  }
  return not_granted(world, vm, answer, marker.has_value());
}

}  // namespace

Verdict prepare(const World& world, const Vm& vm) {
  // Used up even by a VM that is exempt: it counts for this start only.
  auto marker =
      Markers(world.state).use_up(vm.uuid, world.caller, world.settings.guard.migrate_window);
  if (world.settings.exempts(vm.name, vm.uuid.text())) return exempt(world, vm);
  if (auto obstacle = domain_obstacle(world)) return deny(world, vm, *obstacle);
  auto flock = VmFlock::take(world.state, vm.uuid, "prepare", world.deadline);
  if (!flock) return deny(world, vm, flock.error().what);
  return take_for_start(world, vm, std::move(*flock), world.recall(vm), Purpose::start, marker);
}

Verdict start(const World& world, const Vm& vm) {
  if (world.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto flock = VmFlock::take(world.state, vm.uuid, "start", world.deadline);
  if (!flock) return deny(world, vm, flock.error().what);
  auto record = world.recall(vm);
  // What the keeper has open this host holds; asking the cluster again would be no surer.
  if (record && world.keeper->level(vm).level) return Verdict::pass();
  auto purpose = record ? Purpose::keep : Purpose::start;
  return take_for_start(world, vm, std::move(*flock), record, purpose, std::nullopt);
}

Verdict started(const World& world, const Vm& vm) {
  if (world.settings.exempts(vm.name, vm.uuid.text())) return Verdict::pass();
  auto record = world.recall(vm);
  if (!record) return reconnect(world, vm);
  note_qemu(world, vm, "started");
  bool looked_at = record->how != How::hand_over || process_in_pid_file(vm, world.pid_files);
  if (!looked_at) {
    return deny(world, vm, "its lock came by a hand-over, and its QEMU can't be looked at");
  }
  if (auto verdict = check_incoming(world, vm, record); verdict.refused) return verdict;
  return check_job(world, vm, record);
}

Verdict restore(const World& world, const Vm& vm) {
  if (auto removed = Markers(world.state).discard(vm.uuid); !removed) {
    world.log_event(LOG_ERR, "marker-not-removed", vm, {{"error", removed.error().what}});
  }
  return Verdict::pass();
}

Verdict migrate(const World& world, const Vm& vm) {
  if (auto written = Markers(world.state).write(vm.uuid, world.caller); !written) {
    world.log_event(LOG_ERR, "marker-not-written", vm, {{"error", written.error().what}});
  }
  return Verdict::pass();
}

}  // namespace guard
