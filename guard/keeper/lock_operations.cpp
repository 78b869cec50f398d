#include "guard/keeper/lock_operations.hpp"

#include <algorithm>
#include <poll.h>

#include "guard/lock/acquire.hpp"
#include "guard/lock/bell.hpp"
#include "guard/lock/denial.hpp"
#include "guard/lock/unlock.hpp"
#include "guard/state/operation_flock.hpp"
#include "guard/system/time_text.hpp"

namespace guard::lock_operations {
namespace {

/// A KeeperClient for the keeper itself: changes the pins directly.
class OwnPins final : public KeeperClient {
 public:
  OwnPins(Pins& pins, FdStore& fd_store) : pins_(pins), fd_store_(fd_store) {}

  bool keep(const Vm&, Pins pins) override {
    if (pins.lock) pins_.lock = std::move(pins.lock);
    if (pins.bell) pins_.bell = std::move(pins.bell);
    return true;
  }
  /// If the store does not answer, the unlink that follows fails.
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

/// The VM's flock, or no flock if a hook or a command works on the VM.
class KeeperFlock : public OperationFlock {
 public:
  KeeperFlock(const Context& context, const Vm& vm)
      : OperationFlock(context.host, vm.uuid, "keeper", Deadline(std::chrono::milliseconds(0))) {}
};

Bell bell_of(const Context& context, dlmfs::Mount& mount, const Vm& vm) {
  return {mount, context.cluster.domains(context.host.load_record(vm)).bells,
          dlmfs::LockName(vm.uuid), context.cluster.pause};
}

/// Acquires the VM's lock again, unless the file descriptor store has kept it open: another open
/// would sleep while a request of another host is queued.
AcquireResult acquire(const Context& context, const Vm& vm, const std::optional<Record>& record,
                      Pins& pins) {
  if (pins.lock) {
    bool shared = pins.lock->level == dlmfs::Level::protected_read;
    return {.kind = AcquireResult::Kind::granted, .shared = shared, .kept = true};
  }
  NoFdStore nothing_is_closed;
  OwnPins own(pins, nothing_is_closed);
  const Deadline do_not_wait{std::chrono::milliseconds(0)};
  return Acquire(context, own, vm, Purpose::vm_may_run, record, do_not_wait).acquire();
}

/// Returns true if a request of another host waits for the open lock. Opening the lock once more on
/// this host would then sleep until that request is granted. It is never granted while this process
/// has the lock open.
bool request_queued(const Pins& pins) {
  if (!pins.lock) return false;
  pollfd queued{pins.lock->fd.get(), POLLIN, 0};
  return ::poll(&queued, 1, 0) == 1;
}

Error released() {
  return Error{ENOENT, "the VM has been released and is being unlocked"};
}

/// Returns the QEMU of a VM that libvirt reports as active: the process in its pid file, or one
/// found by its UUID.
QemuSeen qemu_of(const Context& context, const Vm& vm) {
  auto process = process_in_pid_file(vm, context.paths.pid_files, context.paths.processes);
  if (process) return {.liveness = Liveness::alive, .process = process};
  return find_qemu(vm.uuid, context.paths.processes);
}

}  // namespace

Result<std::optional<Holder>> arm_bell(const Context& context, const Vm& vm, Pins& pins) {
  auto mount = context.cluster.open_checked_mount();
  if (!mount) return fail(std::move(mount).error());
  auto record = context.host.load_record(vm);
  auto now = now_in_seconds();
  auto armed = bell_of(context, **mount, vm)
                   .arm({context.cluster.host_name, record ? record->since : now, now});
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

HandOverResult hand_over(const Context& context, const Vm& vm, JobBegin job_began,
                         std::chrono::milliseconds job_age, Pins& pins, FdStore& fd_store) {
  auto failed = [](const Error& error) {
    return HandOverResult{HandOverResult::Kind::failed, error.what};
  };
  KeeperFlock flock(context, vm);
  if (!flock) return failed(flock.error());
  auto record = context.host.load_record(vm);
  if (!record || record->released || !pins.bell) {
    return failed(released());
  }
  if (request_queued(pins)) {
    return {HandOverResult::Kind::request_queued,
            "another host has queued a request for the lock itself"};
  }
  auto mount = context.cluster.open_checked_mount();
  if (!mount) return failed(mount.error());
  // Write this first, so that a keeper that dies after it does not grant a second hand-over.
  record->handed_over = job_began;
  record->shared = true;
  if (auto written = context.host.records().write(*record); !written) {
    return failed(written.error());
  }
  dlmfs::LockName name(vm.uuid);
  auto removed = fd_store.remove(name);
  auto shared = removed ? (*mount)->trylock(context.cluster.domains(record).locks, name,
                                            dlmfs::Level::protected_read)
                        : fail(removed.error());
  Holder answer{context.cluster.host_name,
                record->since,
                now_in_seconds(),
                Holder::State::hand_over,
                {job_age, number_of(job_began)}};
  auto reported = shared ? (*mount)->write_lvb(*pins.bell, to_lvb(answer)) : fail(shared.error());
  if (!reported) {
    record->handed_over.reset();
    record->shared = false;
    context.host.write_record(*record);
    return failed(reported.error());
  }
  pins.lock = std::move(*shared);
  pins.bell.reset();
  return {HandOverResult::Kind::granted};
}

RegainResult regain(const Context& context, const Vm& vm, Pins& pins) {
  KeeperFlock flock(context, vm);
  if (!flock) return {RegainResult::Kind::failed, flock.error().what};
  auto record = context.host.load_record(vm);
  if (!record || record->released) return {RegainResult::Kind::failed, released().what};
  if (request_queued(pins)) return {RegainResult::Kind::request_queued};
  auto mount = context.cluster.open_checked_mount();
  if (!mount) return {RegainResult::Kind::failed, mount.error().what};
  auto lock = (*mount)->trylock(context.cluster.domains(record).locks, dlmfs::LockName(vm.uuid),
                                dlmfs::Level::exclusive);
  if (!lock) {
    bool shared = dlmfs::denied(lock.error());
    return {shared ? RegainResult::Kind::still_shared : RegainResult::Kind::failed,
            lock.error().what};
  }
  pins.lock = std::move(*lock);
  record->shared = false;
  record->handed_over.reset();
  context.host.write_record(*record);
  return {RegainResult::Kind::exclusive};
}

LateShareResult share_for_late_request(const Context& context, const Vm& vm, Pins& pins,
                                       FdStore& fd_store) {
  KeeperFlock flock(context, vm);
  if (!flock) return LateShareResult::hook_busy;
  auto record = context.host.load_record(vm);
  if (!record || record->released) return LateShareResult::hook_busy;
  auto waiting = queued(context, vm);
  bool wants_exclusive = std::any_of(waiting.begin(), waiting.end(), [](const auto& request) {
    return request.level == dlmfs::Level::exclusive;
  });
  if (wants_exclusive) return LateShareResult::refused;
  auto mount = context.cluster.open_checked_mount();
  if (!mount) return LateShareResult::refused;
  dlmfs::LockName name(vm.uuid);
  if (!fd_store.remove(name)) return LateShareResult::refused;
  auto shared =
      (*mount)->trylock(context.cluster.domains(record).locks, name, dlmfs::Level::protected_read);
  if (!shared) return LateShareResult::refused;
  record->shared = true;
  context.host.write_record(*record);
  pins.lock = std::move(*shared);
  return LateShareResult::shared;
}

std::vector<dlmfs::QueuedRequest> queued(const Context& context, const Vm& vm) {
  return dlmfs::queued_requests(context.cluster.paths,
                                context.cluster.domains(context.host.load_record(vm)).locks,
                                dlmfs::LockName(vm.uuid));
}

ProbeResult probe_other_holder(const Context& context, const Vm& vm, bool no_answer_counts,
                               Pins& pins) {
  KeeperFlock flock(context, vm);
  if (!flock) return {ProbeResult::Kind::probed};
  auto record = context.host.load_record(vm);
  auto mount = context.cluster.open_checked_mount();
  if (!mount) return {ProbeResult::Kind::probed};
  if (pins.bell) return {ProbeResult::Kind::probed};  // the other host will leave its reply in it
  auto reported = bell_of(context, **mount, vm).ask();
  if (reported && *reported && (*reported)->state == Holder::State::still_migrating) {
    return {ProbeResult::Kind::still_migrating};
  }
  // A host that is unlocking closes its bell without an answer, and then removes it.
  bool runs_there = reported && *reported && (*reported)->state == Holder::State::no_migration;
  if (!runs_there && !no_answer_counts) {
    return {ProbeResult::Kind::no_answer};
  }
  auto since = record ? record->since : now_in_seconds();
  Holder update{context.cluster.host_name, since, now_in_seconds(), Holder::State::runs_here_too};
  auto found = bell_of(context, **mount, vm).exchange([&](const auto&, auto) { return update; });
  return {ProbeResult::Kind::probed, found ? *found : std::nullopt};
}

std::optional<AcquireResult> adopt(const Context& context, const Vm& vm, Pins& pins,
                                   const std::atomic<bool>& hook_was_faster) {
  KeeperFlock flock(context, vm);
  if (!flock || hook_was_faster) return std::nullopt;
  auto record = context.host.load_record(vm);
  if (record && (record->released || pins.lock)) return std::nullopt;
  auto qemu = qemu_of(context, vm);
  switch (qemu.liveness) {
    case Liveness::dead:
      return std::nullopt;
    case Liveness::unknown:
      // While a VM starts or ends, it may have no QEMU, and then there is no pid file of libvirt.
      if (!has_pid_file(vm, context.paths.pid_files)) {
        return AcquireResult{.kind = AcquireResult::Kind::last_run, .last_run = last_run_of(qemu)};
      }
      break;
    case Liveness::alive:
      break;
  }
  AcquireResult answer = acquire(context, vm, record, pins);
  answer.kept = record.has_value();
  if (answer.kind == AcquireResult::Kind::granted && !record) {
    Record adopted{vm, now_in_seconds(), Origin::adopted, qemu.process};
    adopted.domain = context.cluster.domain;
    adopted.shared = answer.shared;
    context.host.write_record(adopted);
  }
  return answer;
}

std::optional<AcquireResult> pick_up(const Context& context, const Vm& vm, Pins& pins,
                                     const std::atomic<bool>& hook_was_faster) {
  KeeperFlock flock(context, vm);
  if (!flock || hook_was_faster) return std::nullopt;
  auto record = context.host.load_record(vm);
  if (!record || record->released) return std::nullopt;
  bool kept_open = pins.lock.has_value();
  AcquireResult answer = acquire(context, vm, record, pins);
  // A keeper that died during an operation may have written a level that was not reached yet.
  if (kept_open && record->shared != answer.shared) {
    record->shared = answer.shared;
    if (!answer.shared) record->handed_over.reset();
    context.host.write_record(*record);
  }
  return answer;
}

void sweep(const Context& context) {
  IncomingMigrations(context.host.directory).sweep(context.settings.guard.migrate_window);
  auto files = context.host.directory.list();
  if (!files) return;
  constexpr std::string_view flock_file = ".flock";
  for (const std::string& file : *files) {
    if (!file.ends_with(flock_file)) continue;
    auto uuid = dlmfs::Uuid::parse(file.substr(0, file.size() - flock_file.size()));
    if (!uuid || context.host.records().stamp(*uuid)) continue;
    Vm vm{uuid->text(), *uuid};
    KeeperFlock removes_the_file(context, vm);
  }
}

Result<std::map<dlmfs::Uuid, LockTrace>> lock_traces(const Context& context) {
  auto mount = context.cluster.open_checked_mount();
  if (!mount) return fail(std::move(mount).error());
  std::map<dlmfs::Uuid, LockTrace> found;
  auto domains = context.cluster.domains();
  for (const auto& domain : {domains.locks, domains.bells}) {
    auto names = (*mount)->list(domain);
    if (!names && names.error().code == ENOENT) continue;  // not joined: no VM was started yet
    if (!names) return fail(std::move(names).error());
    bool only_bell = domain.text() == domains.bells.text();  // the locks were listed before
    for (const auto& name : *names) {
      auto [place, added] = found.try_emplace(name.uuid());
      if (added) place->second.only_bell = only_bell;
    }
  }
  auto uuids = context.host.records().list();
  if (!uuids) return fail(std::move(uuids).error());
  for (const auto& uuid : *uuids) {
    LockTrace& trace = found[uuid];
    trace.only_bell = false;
    trace.stamp = context.host.records().stamp(uuid);
    // If the record cannot be read, the VM may be one that only another driver of libvirt knows.
    trace.record = context.host.load_record(Vm{uuid.text(), uuid, unknown_driver});
  }
  return found;
}

void remove_left_bells(const Context& context, const std::set<dlmfs::Uuid>& uuids) {
  auto mount = context.cluster.open_any_mount();
  if (!mount) return;
  auto domain = context.cluster.domains().bells;
  for (const dlmfs::Uuid& uuid : uuids) {
    KeeperFlock flock(context, Vm{uuid.text(), uuid});
    if (!flock || context.host.records().stamp(uuid)) continue;
    std::ignore = (*mount)->unlink(domain, dlmfs::LockName(uuid));
  }
}

std::optional<UnlockResult> unlock(const Context& context, const Vm& vm,
                                   const std::optional<LockTrace>& trace, Pins& pins,
                                   FdStore& fd_store) {
  KeeperFlock flock(context, vm);
  if (!flock) return std::nullopt;
  auto record = context.host.load_record(vm);
  bool released = record && record->released;
  if (!released && (!trace || context.host.records().stamp(vm.uuid) != trace->stamp))
    return std::nullopt;
  OwnPins own(pins, fd_store);
  bool granted = pins.lock.has_value();
  return Unlock(context, own, vm, record, granted).unlock();
}

}  // namespace guard::lock_operations
