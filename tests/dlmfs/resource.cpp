#include "tests/dlmfs/resource.hpp"

#include <algorithm>

namespace dlmfs {
namespace {

constexpr Held held(Level level) {
  return level == Level::exclusive ? Held::exclusive : Held::protected_read;
}

constexpr bool compatible(Held one, Held other) {
  return one <= Held::null || other <= Held::null ||
         (one == Held::protected_read && other == Held::protected_read);
}

/// Returns the level that other hosts may keep while a request for `level` is queued.
constexpr Held left_by(Level level) {
  return level == Level::exclusive ? Held::null : Held::protected_read;
}

bool pinned_against(const HostLock& lock, Level queued) {
  return std::any_of(lock.pins.begin(), lock.pins.end(),
                     [queued](const Pin& pin) { return held(pin.level()) > left_by(queued); });
}

void show_queued(HostLock& lock) {
  for (Pin& pin : lock.pins) {
    if (!pin.closed()) pin.show_queued(lock.blocking.has_value());
  }
}

}  // namespace

bool Resource::step(const Surroundings& surroundings) {
  // A host that waits for a lowered lock gets it before the lowered host can ask again.
  return reap(surroundings) || lower(surroundings) || serve_queue(surroundings) ||
         go_on(surroundings);
}

bool Resource::busy(int host, const Call* apart_from) const {
  return std::any_of(calls_.begin(), calls_.end(), [&](const Call& call) {
    return call.host == host && &call != apart_from && (call.sent || call.stalled);
  });
}

bool Resource::reachable(const Surroundings& surroundings) const {
  // All hosts together choose the master of a new lock, so one dead host blocks that.
  return master_ ? !surroundings.dead.contains(*master_) : surroundings.dead.empty();
}

bool Resource::reap(const Surroundings&) {
  std::size_t reaped = 0;
  for (auto& [host, lock] : hosts_) {
    reaped += std::erase_if(lock.pins, [](const Pin& pin) { return pin.closed(); });
  }
  return reaped > 0;
}

/// The host's part: lowers a level after no descriptor that is open there prevents it.
bool Resource::lower(const Surroundings& surroundings) {
  if (!reachable(surroundings)) return false;
  for (auto& [host, lock] : hosts_) {
    if (surroundings.dead.contains(host) || !lock.blocking) continue;
    if (pinned_against(lock, *lock.blocking)) continue;
    lower(host, left_by(*lock.blocking));
    return true;
  }
  return false;
}

void Resource::lower(int host, Held level) {
  HostLock& lock = at(host);
  if (lock.held == Held::exclusive) lvb_ = lock.lvb;
  lock.held = std::min(lock.held, level);
  lock.blocking.reset();
  show_queued(lock);
  // Cancels a waiting conversion of this host, which then starts again.
  for (Call& call : calls_) {
    if (call.host == host && call.converting) call.sent = call.converting = false;
  }
}

bool Resource::go_on(const Surroundings& surroundings) {
  for (Call& call : calls_) {
    if (!call.outcome && !call.sent && go_on(call, surroundings)) return true;
  }
  return false;
}

/// What dlmfs does in open() until it has to sleep.
bool Resource::go_on(Call& call, const Surroundings& surroundings) {
  HostLock& lock = at(call.host);
  if (!lock.file) {
    // An unlink that sleeps locks the directory, so no file can be created in it.
    if (surroundings.removed.contains(call.host)) return false;
    lock.file = true;
    return true;
  }
  if (busy(call.host, &call) && held(call.level) > lock.held) return false;
  if (lock.blocking && held(call.level) > left_by(*lock.blocking)) return false;
  if (held(call.level) <= lock.held) {
    pin(call);
    return true;
  }
  call.stalled = !reachable(surroundings);
  if (call.stalled) return false;
  if (!master_) master_ = call.host;
  if (grantable(call)) {
    grant(call);
  } else if (call.noqueue) {
    call.outcome = fail(system_error("trylock", ETXTBSY));
  } else {
    call.sent = true;
    call.converting = lock.held != Held::none;
  }
  return true;
}

/// The DLM's part. Conversions go before requests for a new lock. Only the first request of each
/// kind is considered, and only for that one the holders are notified.
bool Resource::serve_queue(const Surroundings& surroundings) {
  if (!reachable(surroundings)) return false;
  for (bool converting : {true, false}) {
    auto first = std::find_if(calls_.begin(), calls_.end(), [converting](const Call& call) {
      return call.sent && call.converting == converting;
    });
    if (first != calls_.end() && serve(*first, surroundings)) return true;
  }
  return false;
}

bool Resource::serve(Call& call, const Surroundings& surroundings) {
  if (grantable(call)) {
    call.sent = call.converting = false;
    grant(call);
    return true;
  }
  for (auto& [host, lock] : hosts_) {
    if (host == call.host || surroundings.dead.contains(host)) continue;
    if (compatible(lock.held, held(call.level))) continue;
    if (lock.blocking && *lock.blocking >= call.level) continue;
    lock.blocking = call.level;
    show_queued(lock);
    if (!lock.pins.empty() && lock.on_queued) {
      auto react = lock.on_queued;  // it may set another callback
      react();
    }
    return true;
  }
  return false;
}

/// Levels that other hosts hold prevent a grant. For a new request, waiting conversions prevent it,
/// too. Waiting requests for a new lock do not: the new request may overtake them.
bool Resource::grantable(const Call& call) const {
  bool free_of_held = std::all_of(hosts_.begin(), hosts_.end(), [&](const auto& entry) {
    return entry.first == call.host || compatible(entry.second.held, held(call.level));
  });
  bool free_of_conversions = std::all_of(calls_.begin(), calls_.end(), [&](const Call& other) {
    return other.host == call.host || call.sent || !other.sent || !other.converting ||
           compatible(held(other.level), held(call.level));
  });
  return free_of_held && free_of_conversions;
}

/// Here a granted lock is open at once. In the kernel, a waiting host can have the level lowered
/// before open() counts as a holder. open() then asks again.
void Resource::grant(Call& call) {
  at(call.host).held = held(call.level);
  at(call.host).lvb = lvb_;
  pin(call);
}

void Resource::pin(Call& call) {
  auto [pin, fd] = Pin::make(call.level);
  HostLock& lock = at(call.host);
  lock.pins.push_back(std::move(pin));
  show_queued(lock);
  call.outcome = OpenLock{std::move(fd), call.level};
}

void Resource::drop(int host) {
  HostLock& lock = at(host);
  if (lock.held == Held::exclusive) lvb_ = lock.lvb;
  lock.file = false;
  lock.held = Held::none;
  lock.blocking.reset();
}

void Resource::purge() {
  for (const auto& [host, lock] : hosts_) {
    if (lock.held != Held::none || busy(host)) return;
  }
  master_.reset();
  lvb_ = {};
}

void Resource::kill(int host) {
  calls_.remove_if([host](const Call& call) { return call.host == host; });
  at(host).pins.clear();
  at(host).on_queued = {};
}

void Resource::evict(int host) {
  if (at(host).held == Held::exclusive) lvb_ = {};
  hosts_.erase(host);
  if (master_ == host) {
    auto heir = std::find_if(hosts_.begin(), hosts_.end(),
                             [](const auto& entry) { return entry.second.held != Held::none; });
    master_ = heir == hosts_.end() ? std::nullopt : std::optional(heir->first);
    if (!master_) lvb_ = {};
  }
}

}  // namespace dlmfs
