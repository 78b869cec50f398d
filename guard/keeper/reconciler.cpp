#include "guard/keeper/reconciler.hpp"

#include <algorithm>
#include <set>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard/lock/denial.hpp"

namespace guard {
namespace {

using dlmfs::Level;
using dlmfs::Uuid;
using std::chrono::milliseconds;

constexpr milliseconds after_trouble{3000};

std::string text_of(Level level) {
  return level == Level::exclusive ? "EX" : "PR";
}

bool qemu_unknown(const std::optional<LastRun>& last_run) {
  return last_run && last_run->kind == LastRun::Kind::qemu_unknown;
}

}  // namespace

std::size_t Reconciler::recover() {
  // Keep all stored locks open, whatever their records say, until the comparison.
  for (auto& [name, lock] : locks_.fd_store().take_stored()) {
    Vm vm{"unknown", name.uuid()};
    locks_.put(locks_.find_or_add(vm), Pins{std::move(lock)});
  }
  auto uuids = context_.host.records().list().value_or(std::vector<Uuid>());
  for (const Uuid& uuid : uuids) {
    auto record = context_.host.load_record(Vm{uuid.text(), uuid, unknown_driver});
    if (!record) continue;
    locks_.run_throttled([this, vm = record->vm, released = record->released] {
      if (released) return unlock(vm, std::nullopt);
      KeptLock* now = locks_.find(vm.uuid);
      bool hook_was_faster = now != nullptr && (now->busy || now->pins.bell);
      if (!hook_was_faster) reacquire(vm, lock_operations::pick_up, events.reopened);
    });
  }
  locks_.run_throttled([this] { run(); });
  return uuids.size();
}

void Reconciler::run() {
  again_ = running_;
  if (std::exchange(running_, true)) return;
  struct Seen {
    Result<std::map<Uuid, lock_operations::LockTrace>> lock_traces;
    Result<std::vector<Vm>> active;
  };
  auto seen = std::make_shared<Seen>();
  auto compare_them = [this, seen] {
    running_ = false;
    reached(libvirt_trouble_, seen->active ? "" : seen->active.error().what, events.libvirt_lost,
            events.libvirt_back);
    if (seen->active && seen->lock_traces) {
      before_each_();
      compare(*seen->lock_traces, *seen->active);
      context_.host.directory.set_times(stamp_file, {{0, UTIME_NOW}, {0, UTIME_NOW}});
    }
    auto interval = context_.settings.keeper.reconcile_interval;
    after_each_();
    if (again_) return run();
    bool well = seen->active && seen->lock_traces;
    next_ = loop_.after(well ? interval : std::min(interval, after_trouble), [this] { run(); });
  };
  auto ask_libvirt = [this, seen, compare_them] {
    reached(cluster_trouble_, seen->lock_traces ? "" : seen->lock_traces.error().what,
            events.cluster_lost, events.cluster_back);
    // Query libvirt after this host's locks are listed: then each list entry is older than
    // libvirt's reply.
    loop_.run_async(
        Loop::WorkerPool::libvirt, [this, seen] { seen->active = hypervisor_.active(); },
        compare_them);
  };
  loop_.run_async(
      Loop::WorkerPool::cluster,
      [this, seen] {
        lock_operations::sweep(context_);
        seen->lock_traces = lock_operations::lock_traces(context_);
      },
      ask_libvirt);
}

void Reconciler::vm_changed(const VmChange& change) {
  const auto& [vm, active] = change;
  const KeptLock* kept = locks_.find(vm.uuid);
  bool open = kept != nullptr && kept->level();
  bool exempt = context_.settings.exempts(vm.name, vm.uuid.text());
  if (active ? !open && !exempt : open) run();
}

void Reconciler::connection_broken() {
  if (running_) return run();
  next_ = loop_.after(
      std::min<milliseconds>(after_trouble, context_.settings.keeper.reconcile_interval),
      [this] { run(); });
}

void Reconciler::reached(std::string& trouble, const std::string& why, const Event& lost,
                         const Event& back) {
  bool was_lost = !trouble.empty();
  trouble = why;
  if (was_lost == !why.empty()) return;
  if (was_lost) return context_.host.log_event(back);
  context_.host.log_event(lost, {{"error", why}});
}

void Reconciler::compare(const std::map<Uuid, lock_operations::LockTrace>& lock_traces,
                         const std::vector<Vm>& active) {
  std::set<Uuid> running;
  for (const Vm& vm : active) {
    running.insert(vm.uuid);
    if (context_.settings.exempts(vm.name, vm.uuid.text())) continue;
    KeptLock* kept = locks_.find(vm.uuid);
    if (kept != nullptr && kept->busy) continue;
    auto trace = lock_traces.find(vm.uuid);
    bool recorded = trace != lock_traces.end() && trace->second.record;
    if (kept != nullptr && kept->pins.lock && recorded) {
      // A keeper that died while a hook got this lock by a hand-over followed its migration.
      hand_overs_.follow_migration(*kept);
      hand_overs_.arm_missing_bell(*kept);
      continue;
    }
    locks_.run_throttled([this, vm] {
      KeptLock* now = locks_.find(vm.uuid);
      if (now == nullptr || !now->busy) reacquire(vm, lock_operations::adopt, events.adopted);
    });
  }
  std::set<Uuid> lone_bells;
  for (const auto& [uuid, trace] : lock_traces) {
    if (running.contains(uuid) || of_other_driver(uuid, trace)) continue;
    conflicts_.over(uuid);
    if (trace.only_bell && locks_.find(uuid) == nullptr) {
      lone_bells.insert(uuid);
      continue;
    }
    if (endings_.contains(uuid)) continue;  // its QEMU is alive, and its exit will be reported
    Vm vm = trace.record ? trace.record->vm : Vm{"unknown", uuid};
    locks_.run_throttled([this, vm, trace = trace] { unlock(vm, trace); });
  }
  if (lone_bells.empty()) return;
  loop_.run_async(
      Loop::WorkerPool::cluster,
      [this, lone_bells] { lock_operations::remove_left_bells(context_, lone_bells); }, [] {});
}

/// libvirt's QEMU driver does not know such a VM, so the keeper cannot see whether it runs.
bool Reconciler::of_other_driver(const Uuid& uuid, const lock_operations::LockTrace& trace) const {
  bool recorded = trace.record && trace.record->vm.driver != unknown_driver;
  if (recorded) return trace.record->vm.driver != "qemu";
  // Its record cannot be read, or could not be written.
  if (const KeptLock* kept = locks_.find(uuid)) return kept->vm.driver != "qemu";
  return trace.record.has_value();
}

void Reconciler::reacquire(const Vm& vm, Reacquire operation, const Event& event) {
  KeptLock& kept = locks_.find_or_add(vm);
  kept.vm = vm;
  auto hook_was_faster = std::make_shared<std::atomic<bool>>(false);
  kept.hook_was_faster = hook_was_faster;
  locks_.run_operation<std::optional<AcquireResult>>(
      kept,
      [this, vm, operation, hook_was_faster](Pins& pins) {
        return operation(context_, vm, pins, *hook_was_faster);
      },
      [this, &event](KeptLock& now, const std::optional<AcquireResult>& result) {
        reacquired(now, result, event);
      });
}

void Reconciler::reacquired(KeptLock& kept, const std::optional<AcquireResult>& result,
                            const Event& event) {
  Vm vm = kept.vm;
  if (result && !qemu_unknown(result->last_run)) not_seen_.erase(vm.uuid);
  if (result && result->kind == AcquireResult::Kind::granted) {
    conflicts_.over(vm.uuid);
    std::string level = kept.pins.lock ? text_of(kept.pins.lock->level) : "none";
    context_.host.log_event(result->kept ? events.reopened : event, vm, {{"level", level}});
    hand_overs_.follow_migration(kept);
    auto record = context_.host.load_record(vm);
    bool source = record && record->handed_over;
    if (source) ++kept.late_requests;  // the target may have accepted it before this keeper ran
    hand_overs_.arm_missing_bell(kept);
    return;
  }
  if (!kept.pins.lock) locks_.forget(vm.uuid);
  if (!result) return;  // a hook or a command works on the VM
  if (result->kind == AcquireResult::Kind::denied) {
    // For a VM that only has a record, the comparison finds out whether it runs.
    if (event == events.adopted) conflicts_.report(vm, result->holder);
    return;
  }
  if (result->kind == AcquireResult::Kind::cluster_down) return;  // logged once for all VMs
  if (qemu_unknown(result->last_run)) {
    return log_not_seen(vm, result->last_run->why, "none");
  }
  context_.host.log_event(
      events.lock_not_checked, vm,
      {{"error", denial_reason(vm, *result, context_.settings.guard.acquire_timeout)}});
}

void Reconciler::unlock(const Vm& vm, const std::optional<lock_operations::LockTrace>& trace) {
  KeptLock& kept = locks_.find_or_add(vm);
  if (kept.busy) return retry_unlock(vm);
  auto operation = [this, vm, trace](Pins& pins) {
    return lock_operations::unlock(context_, vm, trace, pins, locks_.fd_store());
  };
  locks_.run_operation<std::optional<UnlockResult>>(
      kept, operation, [this, vm](KeptLock& now, const std::optional<UnlockResult>& result) {
        if (!now.pins.lock) locks_.forget(vm.uuid);
        unlocked(vm, result);
      });
}

void Reconciler::unlocked(const Vm& vm, const std::optional<UnlockResult>& result) {
  if (!result) return retry_unlock(vm);
  if (!qemu_unknown(result->last_run)) not_seen_.erase(vm.uuid);
  switch (result->kind) {
    case UnlockResult::Kind::unlocked:
      retries_.erase(vm.uuid);
      in_flight_.erase(vm.uuid);
      context_.host.log_event(events.unlocked_later, vm, {{"by", "keeper"}});
      return;
    case UnlockResult::Kind::last_run:
      return wait_for_last_run(vm, *result->last_run);
    case UnlockResult::Kind::file_in_use:
    case UnlockResult::Kind::cluster_down:
    case UnlockResult::Kind::failed:
    case UnlockResult::Kind::no_answer:
      return retry_unlock(vm);
  }
}

/// Logs what the lock waits for, unless the hook has logged it at `release`, and waits until that
/// ends.
void Reconciler::wait_for_last_run(const Vm& vm, const LastRun& last_run) {
  auto record = context_.host.load_record(vm);
  bool logged_by_hook = record && record->released;
  switch (last_run.kind) {
    case LastRun::Kind::qemu_alive:
      if (!endings_.contains(vm.uuid) && !logged_by_hook) {
        context_.host.log_event(events.qemu_outlives_release, vm,
                                {{"pid", std::to_string(last_run.qemu.pid)}, {"lock", "stays"}});
      }
      return wait_for(vm, last_run.qemu);
    case LastRun::Kind::qemu_unknown:
      log_not_seen(vm, last_run.why, "stays");
      return retry_unlock(vm);
    case LastRun::Kind::io_in_flight:
      if (in_flight_.insert(vm.uuid).second && !logged_by_hook) {
        context_.host.log_event(events.io_in_flight, vm,
                                {{"error", last_run.why}, {"lock", "stays"}});
      }
      return retry_unlock(vm);
  }
}

/// Logs it once, until the process can be seen again.
void Reconciler::log_not_seen(const Vm& vm, const std::string& why, std::string_view lock) {
  if (!not_seen_.insert(vm.uuid).second) return;
  context_.host.log_event(events.qemu_not_seen, vm, {{"error", why}, {"lock", std::string(lock)}});
}

/// Tries again later if the record says that the VM is released. Other locks are found again by the
/// next comparison.
void Reconciler::retry_unlock(const Vm& vm) {
  constexpr milliseconds soon{1000};
  retries_[vm.uuid] = loop_.after(soon, [this, vm] { look(vm); });
}

void Reconciler::wait_for(const Vm& vm, const Process& process) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd) return retry_unlock(vm);
  int fd = pidfd.get();
  Ending& ending = endings_[vm.uuid];
  ending.watch.reset();
  ending.pidfd = std::move(pidfd);
  ending.watch = loop_.when_readable(fd, [this, vm] {
    endings_.erase(vm.uuid);
    look(vm);
    run();  // in case `release` never comes
  });
}

void Reconciler::look(const Vm& vm) {
  auto record = context_.host.load_record(vm);
  if (record && record->released) unlock(vm, std::nullopt);
}

std::string Reconciler::troubles() const {
  std::string text;
  for (const std::string* trouble : {&cluster_trouble_, &libvirt_trouble_}) {
    if (!trouble->empty()) text += "; " + *trouble;
  }
  return text;
}

}  // namespace guard
