#include "guard/keeper/lock_operations.hpp"

#include <algorithm>
#include <poll.h>

#include "guard/host/vm_flock.hpp"
#include "guard/lock/acquire.hpp"
#include "guard/lock/denial.hpp"
#include "guard/lock/unlock.hpp"
#include "guard/system/time_text.hpp"

namespace guard::lock_operations {
namespace {

/// The keeper's line to itself.
class OwnPins final : public KeeperClient {
 public:
  OwnPins(Pins& pins, FdStore& fd_store) : pins_(pins), fd_store_(fd_store) {}

  bool keep(const Vm&, Pins pins) override {
    if (pins.lock) pins_.lock = std::move(pins.lock);
    if (pins.bell) pins_.bell = std::move(pins.bell);
    return true;
  }
  /// Where the store does not answer, the unlink that follows fails.
  Closed close(const Vm& vm) override {
    std::ignore = fd_store_.remove(dlmfs::LockName(vm.uuid));
    bool quiet = pins_.quiet();
    pins_ = {};
    return quiet ? Closed::quiet : Closed::yes;
  }
  [[nodiscard]] LevelReply level(const Vm&) override {
    return {true, pins_.lock ? std::optional(pins_.lock->level) : std::nullopt};
  }
  [[nodiscard]] std::optional<std::vector<KeptLockInfo>> kept() override { return std::nullopt; }
  bool reconcile() override { return false; }
  void look(const Vm&) override {}

 private:
  Pins& pins_;
  FdStore& fd_store_;
};

/// A VM's flock for the time of a step. Its file goes with the last trace of the VM.
class StepFlock {
 public:
  StepFlock(const World& world, const Vm& vm)
      : world_(world),
        uuid_(vm.uuid),
        taken_(VmFlock::acquire(world.state, vm.uuid, "keeper",
                                Deadline(std::chrono::milliseconds(0)))) {}
  ~StepFlock() {
    if (taken_ && !world_.records().stamp(uuid_)) std::move(*taken_).dissolve();
  }
  StepFlock(const StepFlock&) = delete;
  StepFlock& operator=(const StepFlock&) = delete;

  explicit operator bool() const { return taken_.has_value(); }
  [[nodiscard]] const Error& error() const { return taken_.error(); }

 private:
  const World& world_;
  const dlmfs::Uuid& uuid_;
  Result<VmFlock> taken_;
};

Bell bell_of(const World& world, dlmfs::Mount& mount, const Vm& vm) {
  return {mount, world.domains(world.load_record(vm)).bells, dlmfs::LockName(vm.uuid), world.pause};
}

/// What the service manager has kept open is not opened again: that would sleep beside a request
/// which another host has queued.
Answer take(const World& world, const Vm& vm, const std::optional<Record>& record, Pins& pins) {
  if (pins.lock) {
    bool shared = pins.lock->level == dlmfs::Level::protected_read;
    return {.kind = Answer::Kind::granted, .shared = shared, .kept = true};
  }
  NoFdStore nothing_is_closed;
  OwnPins own(pins, nothing_is_closed);
  return Acquire(world, own, vm, Purpose::keep, record).run([](const Answer&) {});
}

/// While another host's request waits for an open lock, to open it once more here sleeps until that
/// request is granted: for as long as this process has it open, that is for ever.
Result<void> check_nobody_queued(const Pins& pins) {
  if (!pins.lock) return {};
  pollfd queued{pins.lock->fd.get(), POLLIN, 0};
  if (::poll(&queued, 1, 0) != 1) return {};
  return fail(Error{EBUSY, "another host has queued a request for the lock itself"});
}

void write_record(const World& world, const Record& record) {
  if (auto written = world.records().write(record); !written) {
    world.log_event(events::record_not_written, record.vm, {{"error", written.error().what}});
  }
}

/// Of a VM that libvirt says is active: the process of its pid file, or one found by its UUID.
QemuSeen qemu_of(const World& world, const Vm& vm) {
  auto process = process_in_pid_file(vm, world.pid_files, world.processes);
  if (process) return {.liveness = Liveness::alive, .process = process};
  return find_qemu(vm.uuid, world.processes);
}

}  // namespace

Result<std::optional<Holder>> arm_bell(const World& world, const Vm& vm, Pins& pins) {
  auto mount = world.open_checked_mount();
  if (!mount) return fail(std::move(mount).error());
  auto record = world.load_record(vm);
  auto now = now_in_seconds();
  auto armed =
      bell_of(world, **mount, vm).announce({world.host, record ? record->since : now, now});
  if (!armed) return fail(std::move(armed).error());
  pins.bell = std::move(armed->lock);
  return armed->found;
}

unsigned number_of(JobBegin began) {
  constexpr auto numbers = 100'000;
  return static_cast<unsigned>(began.time_since_epoch().count() % numbers);
}

bool same_job(const std::optional<JobBegin>& granted, JobBegin began,
              std::chrono::milliseconds took) {
  constexpr std::chrono::milliseconds tolerance{500};
  return granted && std::chrono::abs(*granted - began) < tolerance + took;
}

Result<void> hand_over(const World& world, const Vm& vm, JobBegin job_began,
                       std::chrono::milliseconds job_age, Pins& pins, FdStore& fd_store) {
  StepFlock flock(world, vm);
  if (!flock) return fail(flock.error());
  auto record = world.load_record(vm);
  if (!record || record->released || !pins.bell) {
    return fail(Error{ENOENT, "the VM has been released and is being unlocked"});
  }
  if (auto free = check_nobody_queued(pins); !free) return free;
  auto mount = world.open_checked_mount();
  if (!mount) return fail(std::move(mount).error());
  // First of all, so that a keeper that dies here does not grant it twice.
  record->handed_over = job_began;
  record->shared = true;
  if (auto written = world.records().write(*record); !written) return written;
  dlmfs::LockName name(vm.uuid);
  auto removed = fd_store.remove(name);
  auto shared =
      removed ? (*mount)->trylock(world.domains(record).locks, name, dlmfs::Level::protected_read)
              : fail(removed.error());
  Holder answer{world.host,
                record->since,
                now_in_seconds(),
                Holder::State::hand_over,
                {job_age, number_of(job_began)}};
  auto told = shared ? (*mount)->write_lvb(*pins.bell, to_lvb(answer)) : fail(shared.error());
  if (!told) {
    record->handed_over.reset();
    record->shared = false;
    write_record(world, *record);
    return told;
  }
  pins.lock = std::move(*shared);
  pins.bell.reset();
  return {};
}

Result<void> regain(const World& world, const Vm& vm, Pins& pins) {
  StepFlock flock(world, vm);
  if (!flock) return fail(Error{EWOULDBLOCK, flock.error().what});
  auto record = world.load_record(vm);
  if (!record || record->released)
    return fail(Error{EWOULDBLOCK, "the VM has been released and is being unlocked"});
  if (auto free = check_nobody_queued(pins); !free) return free;
  auto mount = world.open_checked_mount();
  if (!mount) return fail(std::move(mount).error());
  auto lock = (*mount)->trylock(world.domains(record).locks, dlmfs::LockName(vm.uuid),
                                dlmfs::Level::exclusive);
  if (!lock) return fail(std::move(lock).error());
  pins.lock = std::move(*lock);
  record->shared = false;
  record->handed_over.reset();
  write_record(world, *record);
  return {};
}

Result<void> share_for_late_request(const World& world, const Vm& vm, Pins& pins,
                                    FdStore& fd_store) {
  StepFlock flock(world, vm);
  if (!flock) return fail(Error{EWOULDBLOCK, flock.error().what});
  auto record = world.load_record(vm);
  if (!record || record->released)
    return fail(Error{EWOULDBLOCK, "the VM has been released and is being unlocked"});
  auto waiting = queued(world, vm);
  bool wants_exclusive = std::any_of(waiting.begin(), waiting.end(), [](const auto& request) {
    return request.level == dlmfs::Level::exclusive;
  });
  if (wants_exclusive) return fail(Error{EBUSY, "another host has queued for EX"});
  auto mount = world.open_checked_mount();
  if (!mount) return fail(std::move(mount).error());
  dlmfs::LockName name(vm.uuid);
  if (auto removed = fd_store.remove(name); !removed) return removed;
  auto shared = (*mount)->trylock(world.domains(record).locks, name, dlmfs::Level::protected_read);
  if (!shared) return fail(std::move(shared).error());
  record->shared = true;
  write_record(world, *record);
  pins.lock = std::move(*shared);
  return {};
}

std::vector<dlmfs::QueuedRequest> queued(const World& world, const Vm& vm) {
  return dlmfs::queued_requests(world.cluster_paths, world.domains(world.load_record(vm)).locks,
                                dlmfs::LockName(vm.uuid));
}

Result<std::optional<Holder>> probe_other_holder(const World& world, const Vm& vm,
                                                 bool no_answer_counts, Pins& pins) {
  StepFlock flock(world, vm);
  if (!flock) return fail(Error{EWOULDBLOCK, flock.error().what});
  auto record = world.load_record(vm);
  auto mount = world.open_checked_mount();
  if (!mount) return fail(std::move(mount).error());
  if (pins.bell) return std::nullopt;  // the bell is ours: the other host will leave its card
  auto told = bell_of(world, **mount, vm).ask();
  if (told && *told && (*told)->state == Holder::State::still_migrating) {
    return fail(Error{EAGAIN, "the other host's libvirt is still at the migration"});
  }
  // A host that is giving the lock back closes its bell without an answer, and then withdraws it.
  bool runs_there = told && *told && (*told)->state == Holder::State::no_migration;
  if (!runs_there && !no_answer_counts) {
    return fail(Error{EINPROGRESS, "the other host does not say whether the VM runs there"});
  }
  auto since = record ? record->since : now_in_seconds();
  Holder update{world.host, since, now_in_seconds(), Holder::State::runs_here_too};
  return bell_of(world, **mount, vm).exchange([&](const auto&, auto) { return update; });
}

std::optional<Answer> adopt(const World& world, const Vm& vm, Pins& pins) {
  StepFlock flock(world, vm);
  if (!flock) return std::nullopt;
  auto record = world.load_record(vm);
  if (record && (record->released || pins.lock)) return std::nullopt;
  auto qemu = qemu_of(world, vm);
  switch (qemu.liveness) {
    case Liveness::dead:
      return std::nullopt;
    case Liveness::unknown:
      // In the middle of its start or its end there is no QEMU, and libvirt's pid file is not
      // there.
      if (!has_pid_file(vm, world.pid_files)) return Answer{Answer::Kind::qemu_not_seen, qemu.why};
      break;
    case Liveness::alive:
      break;
  }
  Answer answer = take(world, vm, record, pins);
  answer.kept = record.has_value();
  if (answer.kind == Answer::Kind::granted && !record) {
    Record adopted{vm, now_in_seconds(), Origin::adopted, qemu.process};
    adopted.domain = world.settings.dlmfs.domain;
    adopted.shared = answer.shared;
    write_record(world, adopted);
  }
  return answer;
}

std::optional<Answer> pick_up(const World& world, const Vm& vm, Pins& pins) {
  StepFlock flock(world, vm);
  if (!flock) return std::nullopt;
  auto record = world.load_record(vm);
  if (!record || record->released) return std::nullopt;
  bool kept_open = pins.lock.has_value();
  Answer answer = take(world, vm, record, pins);
  // A keeper that died in the middle of a step has written what had not come about yet.
  if (kept_open && record->shared != answer.shared) {
    record->shared = answer.shared;
    if (!answer.shared) record->handed_over.reset();
    write_record(world, *record);
  }
  return answer;
}

void sweep(const World& world) {
  IncomingMigrations(world.state).sweep(world.settings.guard.migrate_window);
  auto files = world.state.list();
  if (!files) return;
  constexpr std::string_view flock_file = ".flock";
  for (const std::string& file : *files) {
    if (!file.ends_with(flock_file)) continue;
    auto uuid = dlmfs::Uuid::parse(file.substr(0, file.size() - flock_file.size()));
    if (!uuid || world.records().stamp(*uuid)) continue;
    Vm vm{uuid->text(), *uuid};
    StepFlock take_it_along(world, vm);
  }
}

Result<std::map<dlmfs::Uuid, Trace>> traces(const World& world) {
  auto mount = world.open_checked_mount();
  if (!mount) return fail(std::move(mount).error());
  std::map<dlmfs::Uuid, Trace> found;
  auto domains = world.domains();
  for (const auto& domain : {domains.locks, domains.bells}) {
    auto names = (*mount)->list(domain);
    if (!names && names.error().code == ENOENT) continue;  // not joined: nothing was started yet
    if (!names) return fail(std::move(names).error());
    for (const auto& name : *names)
      found[name.uuid()].file = true;
  }
  auto uuids = world.records().list();
  if (!uuids) return fail(std::move(uuids).error());
  for (const auto& uuid : *uuids) {
    Trace& trace = found[uuid];
    trace.stamp = world.records().stamp(uuid);
    trace.record = world.load_record(Vm{uuid.text(), uuid});
  }
  return found;
}

std::optional<Answer> unlock(const World& world, const Vm& vm, const std::optional<Trace>& trace,
                             Pins& pins, FdStore& fd_store) {
  StepFlock flock(world, vm);
  if (!flock) return std::nullopt;
  auto record = world.load_record(vm);
  bool released = record && record->released;
  if (!released && (!trace || world.records().stamp(vm.uuid) != trace->stamp)) return std::nullopt;
  OwnPins own(pins, fd_store);
  bool granted = pins.lock.has_value();
  return Unlock(world, own, vm, record, granted).run([](const Answer&) {});
}

}  // namespace guard::lock_operations
