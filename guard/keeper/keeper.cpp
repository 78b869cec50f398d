#include "guard/keeper/keeper.hpp"

#include <algorithm>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard/message.hpp"

namespace guard {
namespace {

using dlmfs::Level;
using dlmfs::Uuid;
using std::chrono::milliseconds;

constexpr milliseconds soon{1000};
constexpr milliseconds often{200};

steps::JobBegin wall_clock() {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

std::string text_of(Level level) {
  return level == Level::exclusive ? "EX" : "PR";
}

Holder::State refusal_state(const Error& error) {
  return error.code == EBUSY ? Holder::State::blocked : Holder::State::unsure;
}

}  // namespace

// One lock at a time

Keeper::Kept* Keeper::find(const Uuid& uuid) {
  auto found = kept_.find(uuid);
  return found == kept_.end() ? nullptr : found->second.get();
}

Keeper::Kept& Keeper::made(const Vm& vm) {
  auto& kept = kept_[vm.uuid];
  if (!kept) kept = std::make_unique<Kept>(Kept{.vm = vm});
  return *kept;
}

void Keeper::forget(const Uuid& uuid) {
  auto found = kept_.find(uuid);
  if (found == kept_.end()) return;
  unwatch(*found->second);
  kept_.erase(found);
}

/// Edge-triggered, so a request that was queued before is told of now; and one that stands for
/// ever, since its host died, is told of once.
void Keeper::watch(Kept& kept) {
  Uuid uuid = kept.vm.uuid;
  if (kept.pins.lock && !kept.lock_watch) {
    kept.lock_watch = loop_.when_readable(kept.pins.lock->fd.get(), [this, uuid] { queued(uuid); });
  }
  if (kept.pins.bell && !kept.bell_watch) {
    kept.bell_watch = loop_.when_readable(kept.pins.bell->fd.get(), [this, uuid] { rang(uuid); });
  }
}

void Keeper::unwatch(Kept& kept) {
  kept.lock_watch.reset();
  kept.bell_watch.reset();
}

template <typename R>
void Keeper::work_on(Kept& kept, std::function<R(Pins&)> step, std::function<void(Kept&, R)> done) {
  struct Work {
    Pins pins;
    std::optional<R> result;
  };
  unwatch(kept);
  ++at_work_;
  kept.busy = true;
  kept.level_before = kept.pins.lock ? std::optional(kept.pins.lock->level) : std::nullopt;
  auto work = std::make_shared<Work>(Work{std::exchange(kept.pins, {}), std::nullopt});
  Uuid uuid = kept.vm.uuid;
  loop_.beside(
      Loop::Crew::cluster, [work, step] { work->result.emplace(step(work->pins)); },
      [this, work, uuid, done] {
        --at_work_;
        Kept* kept_now = find(uuid);  // never forgotten while it is worked on
        finish(*kept_now, std::move(work->pins));
        if (kept_now->closing.empty()) {
          done(*kept_now, std::move(*work->result));
          kept_now = find(uuid);
          bool free = kept_now != nullptr && !kept_now->busy;
          if (free && std::exchange(kept_now->rang, false)) rang(uuid);
        } else {
          auto closing = std::move(kept_now->closing);
          forget(uuid);
          for (const auto& closed : closing)
            closed();
        }
        go_on_in_turn();
      });
}

void Keeper::in_turn(Loop::Callback work) {
  waiting_.push_back(std::move(work));
  go_on_in_turn();
}

void Keeper::go_on_in_turn() {
  constexpr int at_once = 4;
  while (at_work_ < at_once && !waiting_.empty()) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next();
  }
}

void Keeper::finish(Kept& kept, Pins pins) {
  kept.busy = false;
  // What a hook has handed over meanwhile is newer.
  unwatch(kept);
  if (!kept.pins.lock) kept.pins.lock = std::move(pins.lock);
  if (!kept.pins.bell) kept.pins.bell = std::move(pins.bell);
  if (kept.closing.empty()) watch(kept);
}

// The hooks

void Keeper::keep(const Vm& vm, Pins pins) {
  Kept& kept = made(vm);
  kept.vm = vm;
  unwatch(kept);
  kept.pins = std::move(pins);
  kept.still_shared_since.reset();
  kept.queued_told = false;
  kept.taken.reset();
  watch(kept);
  follow_migration(kept);
}

void Keeper::close(const Vm& vm, Loop::Callback closed) {
  Kept* kept = find(vm.uuid);
  if (kept != nullptr && kept->busy) {
    kept->closing.push_back(std::move(closed));
    return;
  }
  forget(vm.uuid);
  closed();
}

std::optional<Level> Keeper::level(const Vm& vm) const {
  auto found = kept_.find(vm.uuid);
  if (found == kept_.end()) return std::nullopt;
  const Kept& kept = *found->second;
  if (kept.pins.lock) return kept.pins.lock->level;
  return kept.busy ? kept.level_before : std::nullopt;
}

std::vector<KeeperLine::Kept> Keeper::kept() {
  std::vector<KeeperLine::Kept> all;
  all.reserve(kept_.size());
  for (const auto& [uuid, kept] : kept_) {
    auto open = level(kept->vm);
    if (!open) continue;
    if (!kept->taken) {  // the hook that took it wrote its record after it had handed over the lock
      if (auto record = world_.recall(kept->vm)) kept->taken.emplace(record->since, record->how);
    }
    auto [since, how] = kept->taken.value_or(std::pair(std::chrono::sys_seconds(), How::start));
    all.push_back({kept->vm, *open, since, how});
  }
  return all;
}

void Keeper::look(const Vm& vm) {
  auto record = world_.recall(vm);
  if (record && record->released) give_back(vm, std::nullopt);
}

std::size_t Keeper::count() const {
  return static_cast<std::size_t>(
      std::count_if(kept_.begin(), kept_.end(),
                    [this](const auto& entry) { return level(entry.second->vm).has_value(); }));
}

std::string Keeper::status() const {
  std::string text = fmt::format("keeping {} lock{}", count(), count() == 1 ? "" : "s");
  for (const std::string* trouble : {&cluster_trouble_, &libvirt_trouble_}) {
    if (!trouble->empty()) text += "; " + *trouble;
  }
  return text;
}

// The bell

/// Beside the loop only.
std::optional<Keeper::Heard> Keeper::ask_libvirt(const Uuid& uuid) {
  auto asked_at = wall_clock();
  auto state = hypervisor_.state_of(uuid);
  if (!state) return std::nullopt;
  auto now = wall_clock();
  return Heard{*state, now, now - asked_at};
}

void Keeper::rang(const Uuid& uuid) {
  Kept* kept = find(uuid);
  if (kept == nullptr) return;
  if (kept->busy) {
    kept->rang = true;
    return;
  }
  if (!kept->pins.bell || kept->asking) return;
  // Who asks can't be seen: a host that is denied a start, or the target of a migration.
  kept->asking = true;
  struct Asked {
    bool answered = false;
    std::optional<Heard> heard;
    Loop::Handle deadline;
  };
  constexpr milliseconds patience{2000};
  auto asked = std::make_shared<Asked>();
  auto answer_once = [this, asked, uuid, turns = kept->turns] {
    if (std::exchange(asked->answered, true)) return;
    asked->deadline.reset();
    Kept* still = find(uuid);
    if (still == nullptr) return;
    still->asking = false;
    if (still->turns != turns) return rang(uuid);
    answer(*still, asked->heard);
  };
  asked->deadline = loop_.after(patience, answer_once);
  auto heard = std::make_shared<std::optional<Heard>>();
  loop_.beside(
      Loop::Crew::libvirt, [this, heard, uuid] { *heard = ask_libvirt(uuid); },
      [asked, heard, answer_once] {
        asked->heard = *heard;
        answer_once();
      });
}

void Keeper::answer(Kept& kept, const std::optional<Heard>& heard) {
  if (kept.busy) {
    kept.rang = true;
    return;
  }
  if (!kept.pins.bell || !kept.pins.lock) return;
  if (!heard) return tell(kept, Holder::State::unsure);
  const VmState& state = heard->state;
  if (state.job != VmState::Job::outgoing_migration) return tell(kept, Holder::State::no_job);
  auto began = heard->job_began();
  if (kept.pins.lock->level == Level::exclusive) return hand_over(kept, began, state.job_age);
  auto record = world_.recall(kept.vm);
  if (record && steps::same_job(record->handed_over, began, heard->took)) {
    return tell(kept, Holder::State::again,
                {state.job_age, steps::number_of(*record->handed_over)});
  }
  // The one that had its hand-over is over, and the lock not this host's alone again.
  auto step = [this, vm = kept.vm](Pins& pins) { return steps::regain(world_, vm, pins); };
  work_on<Result<void>>(
      kept, step, [this, began, age = state.job_age](Kept& now, const Result<void>& regained) {
        if (!now.pins.bell) return;
        if (regained) return hand_over(now, began, age);
        tell(now, Holder::State::not_yet);
      });
}

void Keeper::tell(Kept& kept, Holder::State state, Holder::Job job) {
  auto mount = world_.reach_mount();
  auto record = world_.recall(kept.vm);
  auto now = now_in_seconds();
  if (mount) {
    std::ignore = (*mount)->write_lvb(
        *kept.pins.bell, to_lvb({world_.host, record ? record->since : now, now, state, job}));
  }
  kept.bell_watch.reset();
  kept.pins.bell.reset();  // this lets the asker read
  arm_bell(kept);
}

void Keeper::hand_over(Kept& kept, steps::JobBegin job_began, milliseconds job_age) {
  ++kept.turns;
  auto step = [this, vm = kept.vm, job_began, job_age](Pins& pins) {
    return steps::hand_over(world_, vm, job_began, job_age, pins);
  };
  work_on<Result<void>>(kept, step, [this, job_age](Kept& now, const Result<void>& handed_over) {
    if (!handed_over) {
      world_.log_event(LOG_WARNING, "hand-over-refused", now.vm,
                       {{"reason", handed_over.error().what}});
      if (now.pins.bell) tell(now, refusal_state(handed_over.error()));
      return;
    }
    world_.log_event(LOG_NOTICE, "hand-over", now.vm,
                     {{"job_age_ms", std::to_string(job_age.count())}});
    follow_migration(now);
    arm_bell(now);
  });
}

void Keeper::arm_bell(Kept& kept) {
  auto step = [this, vm = kept.vm](Pins& pins) { return steps::arm_bell(world_, vm, pins); };
  using Found = Result<std::optional<Holder>>;
  work_on<Found>(kept, step, [this](Kept& now, const Found& found) {
    if (found) {
      if (*found) read_card(now, **found);
      return;
    }
    // An asker that stays: its host may have died. Whoever asks next is told what was told last.
    now.bell_timer = loop_.after(soon, [this, uuid = now.vm.uuid] {
      Kept* kept_now = find(uuid);
      if (kept_now != nullptr && !kept_now->busy && !kept_now->pins.bell) arm_bell(*kept_now);
    });
  });
}

void Keeper::read_card(Kept& kept, const Holder& card) {
  if (card.host == world_.host) {
    // A hand-over that nobody has taken, as when a host asked that only wanted to start the VM.
    // Nobody can take it any more, so the migration may ask again.
    if (card.state == Holder::State::hand_off) regain(kept);
    return;
  }
  if (card.state == Holder::State::taken) {
    kept.shared_with = card.host;
    ++kept.latecomers;
    world_.log_event(LOG_NOTICE, "hand-over-taken", kept.vm, {{"to", card.host}});
  } else if (card.state == Holder::State::claims) {
    conflict(kept.vm, card);
  }
}

// A request on the lock itself

void Keeper::queued(const Uuid& uuid) {
  Kept* kept = find(uuid);
  if (kept == nullptr || kept->busy || !kept->pins.lock || kept->queued_told) return;
  if (kept->pins.lock->level == Level::protected_read) return;  // the target of a migration
  if (kept->latecomers > 0) {
    --kept->latecomers;
    return let_latecomer_by(*kept);
  }
  kept->queued_told = true;
  tell_queued(kept->vm);
}

void Keeper::tell_queued(const Vm& vm) {
  auto hosts = std::make_shared<std::string>();
  loop_.beside(
      Loop::Crew::cluster,
      [this, vm, hosts] {
        for (const auto& request : steps::queued(world_, vm))
          *hosts += (hosts->empty() ? "" : ",") + request.host;
      },
      [this, vm, hosts] {
        world_.log_event(LOG_WARNING, "queued", vm,
                         {{"by", hosts->empty() ? "unknown" : *hosts}, {"lock", "stays"}});
      });
}

void Keeper::let_latecomer_by(Kept& kept) {
  auto step = [this, vm = kept.vm](Pins& pins) {
    return steps::let_latecomer_by(world_, vm, pins);
  };
  work_on<Result<void>>(kept, step, [this](Kept& now, const Result<void>& let_by) {
    if (let_by) return follow_migration(now);
    if (let_by.error().code == EWOULDBLOCK) {  // a hook is at work
      ++now.latecomers;
      now.latecomer_timer = loop_.after(soon, [this, uuid = now.vm.uuid] { queued(uuid); });
      return;
    }
    now.queued_told = true;
    tell_queued(now.vm);
  });
}

// A lock that is shared for a migration

void Keeper::follow_migration(Kept& kept) {
  if (!kept.pins.lock || kept.pins.lock->level != Level::protected_read) return;
  kept.shared_timer =
      loop_.after(kept.shared_pace, [this, uuid = kept.vm.uuid] { look_at_migration(uuid); });
}

void Keeper::look_at_migration(const Uuid& uuid) {
  Kept* shared = find(uuid);
  if (shared == nullptr) return;
  auto heard = std::make_shared<std::optional<Heard>>();
  loop_.beside(
      Loop::Crew::libvirt, [this, heard, uuid] { *heard = ask_libvirt(uuid); },
      [this, heard, uuid, turns = shared->turns] {
        Kept* kept = find(uuid);
        if (kept == nullptr) return;
        bool of_now = kept->turns == turns;
        bool over = of_now && *heard && migration_over(*kept, **heard);
        kept->shared_pace = over ? often : soon;
        if (over && !kept->busy) return regain(*kept);
        if (!over) kept->still_shared_since.reset();
        if (kept->busy || (kept->pins.lock && kept->pins.lock->level == Level::protected_read)) {
          kept->shared_timer =
              loop_.after(kept->shared_pace, [this, uuid] { look_at_migration(uuid); });
        }
      });
}

/// Whether what this host shares its lock for is over, be it that the next migration has begun.
bool Keeper::migration_over(const Kept& kept, const Heard& heard) const {
  if (!heard.state.active) return false;  // its release will come
  if (heard.state.job != VmState::Job::outgoing_migration) return !heard.state.migrating();
  auto record = world_.recall(kept.vm);
  return !record || !steps::same_job(record->handed_over, heard.job_began(), heard.took);
}

void Keeper::regain(Kept& kept) {
  auto step = [this, vm = kept.vm](Pins& pins) { return steps::regain(world_, vm, pins); };
  work_on<Result<void>>(kept, step, [this](Kept& now, const Result<void>& regained) {
    if (regained) {
      world_.log_event(LOG_NOTICE, "exclusive", now.vm);
      ++now.turns;
      now.still_shared_since.reset();
      conflicts_.erase(now.vm.uuid);
      if (!now.pins.bell) arm_bell(now);
      return;
    }
    if (dlmfs::denied(regained.error())) still_shared(now);
    if (regained.error().code == EBUSY && !std::exchange(now.queued_told, true)) {
      tell_queued(now.vm);
    }
    if (!now.busy) follow_migration(now);
  });
}

/// For a moment after a migration that is as it should be: the other host still ends what it had.
void Keeper::still_shared(Kept& kept) {
  constexpr milliseconds least{5000};
  auto patience = std::max(least, world_.settings.keeper.reconcile_interval / 2);
  if (!kept.still_shared_since) kept.still_shared_since = loop_.now();
  if (loop_.now() - *kept.still_shared_since < patience) return;
  if (conflicts_.contains(kept.vm.uuid)) return;
  confront(kept);
}

void Keeper::confront(Kept& kept) {
  auto step = [this, vm = kept.vm](Pins& pins) { return steps::confront(world_, vm, pins); };
  using Found = Result<std::optional<Holder>>;
  work_on<Found>(kept, step, [this](Kept& now, const Found& found) {
    if (!found && found.error().code == EAGAIN) {
      now.still_shared_since.reset();
      return follow_migration(now);
    }
    // Where the bell is this host's, the other one leaves its card there when it finds out; it is
    // waited for once more.
    bool waiting = now.pins.bell && now.still_shared_since;
    auto patience =
        std::max(milliseconds(10'000), world_.settings.keeper.reconcile_interval * 3 / 4);
    if (!waiting || loop_.now() - *now.still_shared_since >= patience) {
      auto holder = found ? *found : std::nullopt;
      if (!holder && !now.shared_with.empty()) holder = Holder{now.shared_with, {}, {}};
      conflict(now.vm, holder);
    }
    follow_migration(now);
  });
}

// The comparison with libvirt

std::size_t Keeper::begin() {
  auto uuids = world_.records().list().value_or(std::vector<Uuid>());
  for (const Uuid& uuid : uuids) {
    auto record = world_.recall(Vm{uuid.text(), uuid});
    if (!record) continue;
    in_turn([this, vm = record->vm, released = record->released] {
      if (released) return give_back(vm, std::nullopt);
      // Unless its hook was faster.
      if (find(vm.uuid) == nullptr) pick_up(vm);
    });
  }
  in_turn([this] { reconcile(); });
  return uuids.size();
}

void Keeper::reconcile() {
  if (std::exchange(reconciling_, true)) return;
  struct Seen {
    Result<std::map<Uuid, steps::Trace>> traces;
    Result<std::vector<Vm>> active;
  };
  auto seen = std::make_shared<Seen>();
  auto compare_them = [this, seen] {
    reconciling_ = false;
    reached(libvirt_trouble_, seen->active ? "" : seen->active.error().what, "libvirt");
    if (seen->active && seen->traces) {
      compare(*seen->traces, *seen->active);
      std::ignore = world_.state.write(reconciled_file, "");
    }
    auto interval = world_.settings.keeper.reconcile_interval;
    constexpr milliseconds after_trouble{3000};
    bool well = seen->active && seen->traces;
    next_reconciliation_ =
        loop_.after(well ? interval : std::min(interval, after_trouble), [this] { reconcile(); });
  };
  auto ask_libvirt = [this, seen, compare_them] {
    reached(cluster_trouble_, seen->traces ? "" : seen->traces.error().what, "cluster");
    // After the traces: what libvirt does not know then had a trace before.
    loop_.beside(
        Loop::Crew::libvirt, [this, seen] { seen->active = hypervisor_.active(); }, compare_them);
  };
  loop_.beside(
      Loop::Crew::cluster,
      [this, seen] {
        steps::sweep(world_);
        seen->traces = steps::traces(world_);
      },
      ask_libvirt);
}

void Keeper::reached(std::string& trouble, const std::string& why, std::string_view what) {
  bool was_lost = !trouble.empty();
  trouble = why;
  if (was_lost == !why.empty()) return;
  if (was_lost) return world_.log(LOG_NOTICE, log_line(fmt::format("{}-back", what), {}));
  world_.log(LOG_WARNING, log_line(fmt::format("{}-lost", what), {{"error", why}}));
}

void Keeper::compare(const std::map<Uuid, steps::Trace>& traces, const std::vector<Vm>& active) {
  std::set<Uuid> running;
  for (const Vm& vm : active) {
    running.insert(vm.uuid);
    if (world_.settings.exempts(vm.name)) continue;
    Kept* kept = find(vm.uuid);
    if (kept != nullptr && kept->busy) continue;
    auto trace = traces.find(vm.uuid);
    bool recorded = trace != traces.end() && trace->second.record;
    if (kept != nullptr && kept->pins.lock && recorded) continue;
    in_turn([this, vm] {
      Kept* now = find(vm.uuid);
      if (now == nullptr || !now->busy) adopt(vm);
    });
  }
  for (const auto& [uuid, trace] : traces) {
    if (running.contains(uuid) || (trace.record && trace.record->vm.driver != "qemu")) continue;
    conflicts_.erase(uuid);
    if (endings_.contains(uuid)) continue;  // its QEMU lives, and its end will be noticed
    Vm vm = trace.record ? trace.record->vm : Vm{"unknown", uuid};
    in_turn([this, vm, trace = trace] { give_back(vm, trace); });
  }
}

void Keeper::adopt(const Vm& vm) {
  Kept& kept = made(vm);
  auto step = [this, vm](Pins& pins) { return steps::adopt(world_, vm, pins); };
  work_on<std::optional<Answer>>(kept, step,
                                 [this](Kept& now, const std::optional<Answer>& answer) {
                                   taken_back(now, answer, "adopted");
                                 });
}

void Keeper::pick_up(const Vm& vm) {
  Kept& kept = made(vm);
  auto step = [this, vm](Pins& pins) { return steps::pick_up(world_, vm, pins); };
  work_on<std::optional<Answer>>(
      kept, step,
      [this](Kept& now, const std::optional<Answer>& answer) { taken_back(now, answer, "kept"); });
}

void Keeper::taken_back(Kept& kept, const std::optional<Answer>& answer, std::string_view event) {
  Vm vm = kept.vm;
  if (answer && answer->kind == Answer::Kind::granted) {
    conflicts_.erase(vm.uuid);
    if (answer->kept) event = "kept";
    int priority = event == "adopted" ? LOG_NOTICE : LOG_INFO;
    std::string level = kept.pins.lock ? text_of(kept.pins.lock->level) : "none";
    world_.log_event(priority, event, vm, {{"level", level}});
    follow_migration(kept);
    // In the middle of a migration the bell is its source's.
    auto record = world_.recall(vm);
    bool source = record && record->handed_over;
    if (source) ++kept.latecomers;  // a keeper before this one may have let its target take it
    if (!kept.pins.bell && (level == "EX" || source)) arm_bell(kept);
    return;
  }
  if (!kept.pins.lock) forget(vm.uuid);
  if (!answer) return;  // a hook is at work
  if (answer->kind == Answer::Kind::denied) {
    // Of a VM that is only recorded, the comparison finds out whether it runs.
    if (event == "adopted") conflict(vm, answer->holder);
    return;
  }
  if (answer->kind == Answer::Kind::cluster_down) return;  // told once, for all
  world_.log_event(LOG_ERR, "lock-not-checked", vm,
                   {{"error", obstacle(vm, *answer, world_.settings.guard.acquire_timeout)}});
}

void Keeper::give_back(const Vm& vm, const std::optional<steps::Trace>& trace) {
  Kept& kept = made(vm);
  if (kept.busy) return retry_give_back(vm);
  auto step = [this, vm, trace](Pins& pins) { return steps::give_back(world_, vm, trace, pins); };
  work_on<std::optional<Answer>>(kept, step,
                                 [this, vm](Kept& now, const std::optional<Answer>& answer) {
                                   if (!now.pins.lock) forget(vm.uuid);
                                   given_back(vm, answer);
                                 });
}

void Keeper::given_back(const Vm& vm, const std::optional<Answer>& answer) {
  if (!answer) return retry_give_back(vm);
  switch (answer->kind) {
    case Answer::Kind::given_back:
      retries_.erase(vm.uuid);
      world_.log_event(LOG_NOTICE, "given-back", vm, {{"by", "keeper"}});
      return;
    case Answer::Kind::qemu_lives:
      // Of what libvirt has released the hook has told.
      if (auto record = world_.recall(vm);
          !endings_.contains(vm.uuid) && !(record && record->released)) {
        world_.log_event(LOG_CRIT, "qemu-outlives-release", vm,
                         {{"pid", std::to_string(answer->qemu->pid)}, {"lock", "stays"}});
      }
      return wait_for(vm, *answer->qemu);
    default:
      retry_give_back(vm);
  }
}

/// A record that says `released` and stays tells that there is something left to do; what was only
/// found by comparing will be found again.
void Keeper::retry_give_back(const Vm& vm) {
  retries_[vm.uuid] = loop_.after(soon, [this, vm] { look(vm); });
}

void Keeper::wait_for(const Vm& vm, const Process& process) {
  UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd) return retry_give_back(vm);
  int fd = pidfd.get();
  Ending& ending = endings_[vm.uuid];
  ending.watch.reset();
  ending.pidfd = std::move(pidfd);
  ending.watch = loop_.when_readable(fd, [this, vm] {
    endings_.erase(vm.uuid);
    look(vm);
    reconcile();  // where no release ever came
  });
}

void Keeper::conflict(const Vm& vm, const std::optional<Holder>& holder) {
  if (!conflicts_.insert(vm.uuid).second) return;
  world_.log_event(
      LOG_CRIT, "conflict", vm,
      {{"here", world_.host}, {"holder", holder ? holder->host : "unknown"}, {"action", "keep"}});
}

}  // namespace guard
