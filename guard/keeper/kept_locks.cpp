#include "guard/keeper/kept_locks.hpp"

namespace guard {

using dlmfs::Uuid;

std::optional<dlmfs::Level> KeptLock::level() const {
  if (pins.lock) return pins.lock->level;
  return busy ? level_before : std::nullopt;
}

KeptLock* KeptLocks::find(const Uuid& uuid) const {
  auto found = kept_.find(uuid);
  return found == kept_.end() ? nullptr : found->second.get();
}

KeptLock& KeptLocks::find_or_add(const Vm& vm) {
  auto& kept = kept_[vm.uuid];
  if (!kept) kept = std::make_unique<KeptLock>(KeptLock{.vm = vm});
  return *kept;
}

void KeptLocks::forget(const Uuid& uuid) {
  auto found = kept_.find(uuid);
  if (found == kept_.end()) return;
  unwatch(*found->second);
  kept_.erase(found);
}

/// Edge-triggered: a request that was queued before is reported now. A request that stays for ever
/// because its host died is reported only once.
void KeptLocks::watch(KeptLock& kept) {
  Uuid uuid = kept.vm.uuid;
  if (kept.pins.lock) fd_store_.store(dlmfs::LockName(uuid), *kept.pins.lock);
  if (kept.pins.lock && !kept.lock_watch) {
    kept.lock_watch =
        loop_.when_readable(kept.pins.lock->fd.get(), [this, uuid] { handlers_.queued(uuid); });
  }
  if (kept.pins.bell && !kept.bell_watch) {
    kept.bell_watch = loop_.when_readable(kept.pins.bell->fd.get(),
                                          [this, uuid] { handlers_.bell_requested(uuid); });
  }
}

void KeptLocks::unwatch(KeptLock& kept) {
  kept.lock_watch.reset();
  kept.bell_watch.reset();
}

void KeptLocks::run(KeptLock& kept, std::function<void(Pins&)> operation,
                    std::function<void(KeptLock&)> done) {
  unwatch(kept);
  ++busy_count_;
  kept.level_before = kept.level();
  kept.busy = true;
  auto pins = std::make_shared<Pins>(std::exchange(kept.pins, {}));
  auto finished = [this, pins, uuid = kept.vm.uuid, done = std::move(done)] {
    --busy_count_;
    KeptLock* now = find(uuid);  // never forgotten during an operation
    finish(*now, std::move(*pins));
    if (now->closing.empty()) {
      done(*now);
      now = find(uuid);
      bool free = now != nullptr && !now->busy;
      if (free && std::exchange(now->bell_requested, false)) handlers_.bell_requested(uuid);
    } else {
      close_now(*now);
    }
    run_next();
  };
  loop_.run_async(
      Loop::WorkerPool::cluster, [pins, operation = std::move(operation)] { operation(*pins); },
      std::move(finished));
}

void KeptLocks::run_throttled(Loop::Callback work) {
  waiting_.push_back(std::move(work));
  run_next();
}

void KeptLocks::run_next() {
  constexpr int at_once = 4;
  while (busy_count_ < at_once && !waiting_.empty()) {
    auto next = std::move(waiting_.front());
    waiting_.pop_front();
    next();
  }
}

void KeptLocks::finish(KeptLock& kept, Pins pins) {
  kept.busy = false;
  // Keep what a hook has passed to the keeper meanwhile: it is newer.
  unwatch(kept);
  if (!kept.pins.lock) kept.pins.lock = std::move(pins.lock);
  if (!kept.pins.bell) kept.pins.bell = std::move(pins.bell);
  if (kept.closing.empty()) watch(kept);
}

void KeptLocks::put(KeptLock& kept, Pins pins) {
  unwatch(kept);
  kept.pins = std::move(pins);
  if (kept.hook_was_faster) *kept.hook_was_faster = true;
  kept.closing.clear();  // requested by a hook that has ended: this one has the VM's flock
  watch(kept);
}

void KeptLocks::close(const Uuid& uuid, OnClosed closed) {
  KeptLock* kept = find(uuid);
  if (kept == nullptr) return closed(false);
  kept->closing.push_back(std::move(closed));
  if (!kept->busy) close_now(*kept);
}

/// If the store does not answer, the lock's file cannot be unlinked, and its record stays.
void KeptLocks::close_now(KeptLock& kept) {
  kept.level_before = kept.level();
  kept.busy = true;
  Uuid uuid = kept.vm.uuid;
  loop_.run_async(
      Loop::WorkerPool::fd_store,
      [store = &fd_store_, uuid] { std::ignore = store->remove(dlmfs::LockName(uuid)); },
      [this, uuid] {
        KeptLock* now = find(uuid);  // never forgotten during an operation
        auto closing = std::exchange(now->closing, {});
        if (closing.empty()) return finish(*now, {});  // a hook has passed the next lock
        bool quiet = now->pins.quiet();
        forget(uuid);
        for (const auto& closed : closing)
          closed(quiet);
      });
}

}  // namespace guard
