#include "tests/simulation/world.hpp"

#include <algorithm>

namespace guard::simulation {
namespace {

Vm vm_without_disks() {
  Vm vm{"web", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};
  vm.io_uring_disks.emplace();
  return vm;
}

}  // namespace

World::World(std::uint64_t seed)
    : environment_{Scheduler(seed), {}, vm_without_disks()},
      time_(environment_.scheduler),
      faults_left_(static_cast<int>(choose(4))) {
  environment_.status_files = choose(4) != 0;
  environment_.cluster.count_closed(closed_descriptors);
  for (int number = 1; number <= 3; ++number)
    hosts_.push_back(std::make_unique<Host>(environment_, number));
}

std::string World::run() {
  if (choose(4) != 0) start(any_host());
  auto acts = 3 + choose(6);
  for (std::size_t i = 0; i < acts; ++i) {
    auto steps = choose(120);
    auto end = environment_.scheduler.now() + time_until(milliseconds(choose(3000)));
    for (std::size_t j = 0; j < steps && environment_.scheduler.now() < end; ++j) {
      if (auto why = step(); !why.empty()) return fmt::format("{}\n{}", why, environment_.history);
    }
    if (choose(4) == 0) {
      if (auto why = settle(milliseconds(choose(5000))); !why.empty())
        return fmt::format("{}\n{}", why, environment_.history);
    }
    act();
  }
  if (auto why = settle(milliseconds(20'000)); !why.empty())
    return fmt::format("{}\n{}", why, environment_.history);
  for (auto& host : hosts_) {
    if (!host->up()) {
      environment_.cluster.evict(host->number());
      host->boot();
    }
    host->show_all();
    host->start_keeper();
    host->start_libvirtd();
  }
  if (auto why = settle(milliseconds(70'000)); !why.empty())
    return fmt::format("{}\n{}", why, environment_.history);
  auto why = violation_at_rest();
  return why.empty() ? why : fmt::format("{}\n{}", why, environment_.history);
}

/// Without libvirt's status file, the hook cannot distinguish a revert from a migration.
Start World::any_start() {
  constexpr Start ways[] = {Start::cold, Start::cold, Start::restored, Start::reverted};
  return ways[choose(std::size(ways) - (environment_.status_files ? 0 : 1))];
}

/// Prefers a host with an operation that a fault can hit.
Host& World::any_host_for_fault() {
  for (auto& host : hosts_) {
    if (host->busy() && choose(2) == 0) return *host;
  }
  return any_host();
}

/// Calls `action` after `time`, while other things happen.
void World::later(milliseconds time, std::function<void()> action) {
  auto& scheduler = environment_.scheduler;
  scheduler.spawn([&scheduler, time, action = std::move(action)] {
    scheduler.sleep(time);
    action();
  });
}

/// Returns `time`. Also sees to it that time does not pass over its end if nothing happens before.
milliseconds World::time_until(milliseconds time) {
  later(time, [] {});
  return time;
}

void World::start(Host& host) {
  constexpr const char* names[] = {"start", "restore", "revert to a snapshot"};
  auto how = any_start();
  environment_.note(names[static_cast<std::size_t>(how)], host.number());
  host.start(how);
}

void World::migrate(Host& source, Host& target) {
  auto what = choose(10);
  if (what > 3) {
    environment_.note(fmt::format("migrate to node{}", target.number()), source.number());
    return source.migrate_to(target);
  }
  // What is left of such a migration must not be taken for one that begins soon after it.
  Host& other = *hosts_[5 - static_cast<std::size_t>(source.number() + target.number())];
  later(milliseconds(choose(5000)), [this, &source, &other] {
    environment_.note(fmt::format("migrate to node{}", other.number()), source.number());
    source.migrate_to(other);
  });
  if (what == 0) {
    environment_.note(fmt::format("migrate to node{}, which is late", target.number()),
                      source.number());
    return source.abandon_migration_to(target);
  }
  environment_.note(fmt::format("migrate to node{}, which refuses", target.number()),
                    source.number());
  source.announce_to(target);
  later(milliseconds(choose(choose(2) == 0 ? 1000 : 6000)), [this, &target] { start(target); });
  if (faults_left_ == 0 || choose(3) != 0) return;
  --faults_left_;
  constexpr std::size_t libvirtd = 4;
  after("how=hand-over", [this](Host& logged) { inject(libvirtd, logged); });
}

void World::act() {
  Host& host = any_host();
  auto kind = choose(faults_left_ > 0 ? 15 : 10);
  if (kind >= 10) return fault(any_host_for_fault());
  if (kind < 3) return start(host);
  for (auto& running : hosts_) {
    if (!running->vm_runs()) continue;
    if (kind < 8 && running.get() != &host) return migrate(*running, host);
    if (kind < 8) return start(host);
    environment_.note(kind == 8 ? "stop" : "QEMU dies", running->number());
    return kind == 8 ? running->stop() : running->lose_qemu();
  }
  if (kind < 8) start(host);
}

void World::fault(Host& host) {
  --faults_left_;
  auto kind = choose(kinds);
  if (choose(2) == 0) return inject(kind, host);
  constexpr const char* awaited[] = {
      "event=granted ",   "event=hand-over ", "event=hand-over-accepted", "how=hand-over",
      "event=exclusive ", "event=denied ",    "event=unlocked ",          "event=hand-over "};
  after(awaited[choose(std::size(awaited))],
        [this, kind](Host& logged) { inject(kind, choose(2) == 0 ? logged : any_host()); });
}

/// Calls `action` soon after the next log line with this text, so that it hits what follows.
void World::after(const std::string& text, std::function<void(Host&)> action) {
  environment_.awaited = text;
  environment_.after_awaited = std::move(action);
}

void World::inject(std::size_t kind, Host& host) {
  auto note = [&](const char* what) { environment_.note(what, host.number()); };
  auto soon = [this] {
    constexpr std::size_t longest[] = {1, 100, 6000};
    return milliseconds(choose(longest[choose(std::size(longest))]));
  };
  switch (kind) {
    case 0:
      note("kill the hook");
      return host.kill_hook();
    case 1:
      note("kill the hook's child");
      return host.kill_child();
    case 2:
    case 3:
      note("kill the keeper");
      keeper_died_ = true;
      host.kill_keeper();
      if (choose(3) == 0) stop_children();
      return later(soon(), [&host] { host.start_keeper(); });
    case 4:
      note("kill libvirtd");
      host.kill_libvirtd();
      return later(soon(), [&host] { host.start_libvirtd(); });
    case 5:
      return hang_qemu();
    case 6:
      note("/proc hides processes");
      host.hide_processes();
      return later(soon(), [&host] { host.show_all(); });
    case 7:
      note("no debugfs");
      host.hide_requests();
      return later(soon(), [&host] { host.show_all(); });
    case 8:
      return open_lock_file(host);
    case 9:
      return stop_children();
    case 10:
      return abort_migration();
    default:
      return power_off(host);
  }
}

/// The children of all hooks do not run for a while.
void World::stop_children() {
  auto time = milliseconds(choose(8000));
  environment_.note(fmt::format("the hooks' children do not run for {} ms", time.count()), 0);
  for (auto& host : hosts_)
    host->stop_child(time);
}

void World::abort_migration() {
  for (auto& host : hosts_)
    host->abort_migration();
  environment_.note("abort the migration", 0);
}

/// QEMU lives on after libvirt has ended it. The VM is started again meanwhile.
void World::hang_qemu() {
  for (auto& host : hosts_) {
    if (!host->vm_runs()) continue;
    environment_.note("the next QEMU hangs", host->number());
    host->let_qemu_hang();
    later(milliseconds(choose(1000)), [&host] { host->stop(); });
    return later(milliseconds(choose(8000)), [this, &host] { start(*host); });
  }
}

void World::power_off(Host& host) {
  if (!host.up()) return;
  environment_.note("power off", host.number());
  keeper_died_ = true;
  host.lose_power();
  later(milliseconds(1000 + choose(15'000)), [this, &host] {
    environment_.cluster.evict(host.number());
    later(milliseconds(choose(10'000)), [&host] { host.boot(); });
  });
}

/// The last fault: while no keeper has a lock open, such a process takes it from the VM that runs
/// (see start-guard(7), CAVEATS).
void World::open_lock_file(Host& host) {
  if (keeper_died_) return;
  environment_.note("> file", host.number());
  faults_left_ = 0;
  host.open_lock_file();
}

std::string World::step() {
  environment_.scheduler.step();
  for (auto& host : hosts_)
    host->bury();
  return violation();
}

std::string World::settle(milliseconds time) {
  auto end = environment_.scheduler.now() + time_until(time);
  for (int steps = 0; environment_.scheduler.now() < end; ++steps) {
    constexpr int most = 200'000;
    if (steps > most) return "does not come to rest";
    if (auto why = step(); !why.empty()) return why;
  }
  return {};
}

/// I1, I2, I4 and the promise.
std::string World::violation() {
  if (!environment_.violation.empty()) return environment_.violation;
  std::size_t running = 0, exclusive = 0, shared = 0;
  for (auto& host : hosts_) {
    auto level =
        environment_.cluster.level(host->number(), locks, dlmfs::LockName(environment_.vm.uuid));
    host->observe_level(level);
    if (level) ++(*level == dlmfs::Level::exclusive ? exclusive : shared);
    if (!host->up()) continue;
    running += host->running_qemus();
    if (host->qemus() > 0 && !level)
      return fmt::format("node{} has a QEMU and no lock", host->number());
  }
  if (running > 1) return "the VM runs twice";
  if (exclusive > 1 || (exclusive == 1 && shared > 0)) return "EX on one host, a lock on another";
  return {};
}

/// A target has accepted a hand-over, and before it requested PR, another host was granted EX: it
/// waits until the VM ends. tests/model leaves this out with TIMELY.
bool World::overtaken(const Host& host) {
  auto queued = environment_.cluster.queued(locks, dlmfs::LockName(environment_.vm.uuid));
  bool waits = std::find(queued.begin(), queued.end(), host.number()) != queued.end();
  return waits && std::none_of(hosts_.begin(), hosts_.end(), [](const auto& other) {
           return other->vm_runs() && other->granted_hand_over();
         });
}

/// I5. A process that waits for the lock itself may prevent much of it until the VM ends.
std::string World::violation_at_rest() {
  bool waiter = std::any_of(hosts_.begin(), hosts_.end(),
                            [](const auto& host) { return host->has_waiter(); });
  for (auto& host : hosts_) {
    if (host->busy()) return fmt::format("an operation on node{} does not end", host->number());
    if (waiter) continue;
    auto missing = host->vm_runs() ? host->missing() : "";
    if (!missing.empty()) {
      return fmt::format("node{} runs the VM and does not have {}", host->number(), missing);
    }
    auto traces = host->vm_runs() || overtaken(*host) ? "" : host->traces();
    if (!traces.empty()) {
      return fmt::format("node{} does not run the VM and has {}", host->number(), traces);
    }
  }
  return {};
}

}  // namespace guard::simulation
