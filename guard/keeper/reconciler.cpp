#include "guard/keeper/reconciler.hpp"

#include <algorithm>
#include <set>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard/lock/denial.hpp"

namespace guard {
namespace {

using dlmfs::Level;
using dlmfs::Uuid;
using std::chrono::milliseconds;

std::string text_of(Level level) {
  return level == Level::exclusive ? "EX" : "PR";
}

}  // namespace

std::size_t Reconciler::begin() {
  // All that was open stays open, whatever its record says, until it has been compared.
  for (auto& [name, lock] : locks_.fd_store().take_stored()) {
    Vm vm{"unknown", name.uuid()};
    locks_.put(locks_.made(vm), Pins{std::move(lock)});
  }
  auto uuids = world_.records().list().value_or(std::vector<Uuid>());
  for (const Uuid& uuid : uuids) {
    auto record = world_.load_record(Vm{uuid.text(), uuid});
    if (!record) continue;
    locks_.in_turn([this, vm = record->vm, released = record->released] {
      if (released) return unlock(vm, std::nullopt);
      KeptLock* now = locks_.find(vm.uuid);
      bool hook_was_faster = now != nullptr && (now->busy || now->pins.bell);
      if (!hook_was_faster) take_back(vm, lock_operations::pick_up, events::reopened);
    });
  }
  locks_.in_turn([this] { run(); });
  return uuids.size();
}

void Reconciler::run() {
  if (std::exchange(running_, true)) return;
  struct Seen {
    Result<std::map<Uuid, lock_operations::Trace>> traces;
    Result<std::vector<Vm>> active;
  };
  auto seen = std::make_shared<Seen>();
  auto compare_them = [this, seen] {
    running_ = false;
    reached(libvirt_trouble_, seen->active ? "" : seen->active.error().what, events::libvirt_lost,
            events::libvirt_back);
    if (seen->active && seen->traces) {
      before_each_();
      compare(*seen->traces, *seen->active);
      std::ignore = world_.state.write(stamp_file, "");
    }
    auto interval = world_.settings.keeper.reconcile_interval;
    constexpr milliseconds after_trouble{3000};
    bool well = seen->active && seen->traces;
    next_ = loop_.after(well ? interval : std::min(interval, after_trouble), [this] { run(); });
  };
  auto ask_libvirt = [this, seen, compare_them] {
    reached(cluster_trouble_, seen->traces ? "" : seen->traces.error().what, events::cluster_lost,
            events::cluster_back);
    // After the traces: what libvirt does not know then had a trace before.
    loop_.run_async(
        Loop::WorkerPool::libvirt, [this, seen] { seen->active = hypervisor_.active(); },
        compare_them);
  };
  loop_.run_async(
      Loop::WorkerPool::cluster,
      [this, seen] {
        lock_operations::sweep(world_);
        seen->traces = lock_operations::traces(world_);
      },
      ask_libvirt);
}

void Reconciler::reached(std::string& trouble, const std::string& why, const Event& lost,
                         const Event& back) {
  bool was_lost = !trouble.empty();
  trouble = why;
  if (was_lost == !why.empty()) return;
  if (was_lost) return world_.log_event(back);
  world_.log_event(lost, {{"error", why}});
}

void Reconciler::compare(const std::map<Uuid, lock_operations::Trace>& traces,
                         const std::vector<Vm>& active) {
  std::set<Uuid> running;
  for (const Vm& vm : active) {
    running.insert(vm.uuid);
    if (world_.settings.exempts(vm.name, vm.uuid.text())) continue;
    KeptLock* kept = locks_.find(vm.uuid);
    if (kept != nullptr && kept->busy) continue;
    auto trace = traces.find(vm.uuid);
    bool recorded = trace != traces.end() && trace->second.record;
    if (kept != nullptr && kept->pins.lock && recorded) {
      hand_overs_.arm_missing_bell(*kept);
      continue;
    }
    locks_.in_turn([this, vm] {
      KeptLock* now = locks_.find(vm.uuid);
      if (now == nullptr || !now->busy) take_back(vm, lock_operations::adopt, events::adopted);
    });
  }
  for (const auto& [uuid, trace] : traces) {
    if (running.contains(uuid) || (trace.record && trace.record->vm.driver != "qemu")) continue;
    conflicts_.over(uuid);
    if (endings_.contains(uuid)) continue;  // its QEMU lives, and its end will be noticed
    Vm vm = trace.record ? trace.record->vm : Vm{"unknown", uuid};
    locks_.in_turn([this, vm, trace = trace] { unlock(vm, trace); });
  }
}

void Reconciler::take_back(const Vm& vm, TakeBack step, const Event& event) {
  KeptLock& kept = locks_.made(vm);
  kept.vm = vm;
  locks_.work_on<std::optional<Answer>>(
      kept, [this, vm, step](Pins& pins) { return step(world_, vm, pins); },
      [this, &event](KeptLock& now, const std::optional<Answer>& answer) {
        taken_back(now, answer, event);
      });
}

void Reconciler::taken_back(KeptLock& kept, const std::optional<Answer>& answer,
                            const Event& event) {
  Vm vm = kept.vm;
  if (answer && answer->kind != Answer::Kind::qemu_not_seen) not_seen_.erase(vm.uuid);
  if (answer && answer->kind == Answer::Kind::granted) {
    conflicts_.over(vm.uuid);
    std::string level = kept.pins.lock ? text_of(kept.pins.lock->level) : "none";
    world_.log_event(answer->kept ? events::reopened : event, vm, {{"level", level}});
    hand_overs_.follow_migration(kept);
    auto record = world_.load_record(vm);
    bool source = record && record->handed_over;
    if (source) ++kept.late_requests;  // a keeper before this one may have let its target take it
    hand_overs_.arm_missing_bell(kept);
    return;
  }
  if (!kept.pins.lock) locks_.forget(vm.uuid);
  if (!answer) return;  // a hook is at work
  if (answer->kind == Answer::Kind::denied) {
    // Of a VM that is only recorded, the comparison finds out whether it runs.
    if (event == events::adopted) conflicts_.report(vm, answer->holder);
    return;
  }
  if (answer->kind == Answer::Kind::cluster_down) return;  // told once, for all
  if (answer->kind == Answer::Kind::qemu_not_seen) return tell_not_seen(vm, answer->why, "none");
  world_.log_event(events::lock_not_checked, vm,
                   {{"error", denial_reason(vm, *answer, world_.settings.guard.acquire_timeout)}});
}

void Reconciler::unlock(const Vm& vm, const std::optional<lock_operations::Trace>& trace) {
  KeptLock& kept = locks_.made(vm);
  if (kept.busy) return retry_unlock(vm);
  auto step = [this, vm, trace](Pins& pins) {
    return lock_operations::unlock(world_, vm, trace, pins, locks_.fd_store());
  };
  locks_.work_on<std::optional<Answer>>(
      kept, step, [this, vm](KeptLock& now, const std::optional<Answer>& answer) {
        if (!now.pins.lock) locks_.forget(vm.uuid);
        unlocked(vm, answer);
      });
}

void Reconciler::unlocked(const Vm& vm, const std::optional<Answer>& answer) {
  if (!answer) return retry_unlock(vm);
  if (answer->kind != Answer::Kind::qemu_not_seen) not_seen_.erase(vm.uuid);
  switch (answer->kind) {
    case Answer::Kind::unlocked:
      retries_.erase(vm.uuid);
      in_flight_.erase(vm.uuid);
      world_.log_event(events::unlocked_later, vm, {{"by", "keeper"}});
      return;
    case Answer::Kind::qemu_lives:
      // Of what libvirt has released the hook has told.
      if (auto record = world_.load_record(vm);
          !endings_.contains(vm.uuid) && !(record && record->released)) {
        world_.log_event(events::qemu_outlives_release, vm,
                         {{"pid", std::to_string(answer->qemu->pid)}, {"lock", "stays"}});
      }
      return wait_for(vm, *answer->qemu);
    case Answer::Kind::qemu_not_seen:
      tell_not_seen(vm, answer->why, "stays");
      return retry_unlock(vm);
    case Answer::Kind::io_in_flight:
      // The hook has told of what libvirt has released.
      if (auto record = world_.load_record(vm);
          in_flight_.insert(vm.uuid).second && !(record && record->released)) {
        world_.log_event(events::io_in_flight, vm, {{"error", answer->why}, {"lock", "stays"}});
      }
      return retry_unlock(vm);
    default:
      retry_unlock(vm);
  }
}

/// Once, until it is seen.
void Reconciler::tell_not_seen(const Vm& vm, const std::string& why, std::string_view lock) {
  if (!not_seen_.insert(vm.uuid).second) return;
  world_.log_event(events::qemu_not_seen, vm, {{"error", why}, {"lock", std::string(lock)}});
}

/// A record that says `released` and stays tells that there is something left to do; what was only
/// found by comparing will be found again.
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
    run();  // where no release ever came
  });
}

void Reconciler::look(const Vm& vm) {
  auto record = world_.load_record(vm);
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
