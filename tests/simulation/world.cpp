#include "tests/simulation/world.hpp"

#include <algorithm>

#include "tests/simulation/system_calls.hpp"

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
      faults_left_(static_cast<int>(choose(4))) {
  environment_.cluster.count_closed(closed_descriptors);
  for (int number = 1; number <= 3; ++number)
    hosts_.push_back(std::make_unique<Host>(environment_, number));
}

std::string World::run() {
  auto acts = 3 + choose(6);
  for (std::size_t i = 0; i < acts; ++i) {
    auto steps = choose(120);
    for (std::size_t j = 0; j < steps; ++j) {
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
    host->start_keeper();
    host->start_libvirtd();
  }
  if (auto why = settle(milliseconds(70'000)); !why.empty())
    return fmt::format("{}\n{}", why, environment_.history);
  auto why = violation_at_rest();
  return why.empty() ? why : fmt::format("{}\n{}", why, environment_.history);
}

void World::act() {
  Host& host = any_host();
  auto kind = choose(faults_left_ > 0 ? 16 : 10);
  if (kind < 4) {
    environment_.note("start", host.number());
    return host.start();
  }
  if (kind < 8) {
    Host& target = any_host();
    for (auto& source : hosts_) {
      if (!source->vm_runs()) continue;
      environment_.note(fmt::format("migrate to node{}", target.number()), source->number());
      return source->migrate_to(target);
    }
    environment_.note("start", host.number());
    return host.start();
  }
  for (auto& running : hosts_) {
    if (kind >= 10 || !running->vm_runs()) continue;
    environment_.note(kind == 8 ? "stop" : "QEMU dies", running->number());
    return kind == 8 ? running->stop() : running->lose_qemu();
  }
  if (kind >= 10) fault(host);
}

void World::fault(Host& host) {
  --faults_left_;
  auto later = [this](Host& on, void (Host::*repair)()) {
    auto time = milliseconds(choose(6000));
    environment_.scheduler.spawn([this, &on, repair, time] {
      environment_.scheduler.sleep(time);
      (on.*repair)();
    });
  };
  switch (choose(6)) {
    case 0:
      environment_.note("kill the hook", host.number());
      return host.kill_hook();
    case 1:
      environment_.note("kill the hook's child", host.number());
      return host.kill_child();
    case 2:
    case 3:
      environment_.note("kill the keeper", host.number());
      host.kill_keeper();
      return later(host, &Host::start_keeper);
    case 4:
      environment_.note("kill libvirtd", host.number());
      host.kill_libvirtd();
      return later(host, &Host::start_libvirtd);
    default:
      if (!host.up()) return;
      environment_.note("power off", host.number());
      host.lose_power();
      environment_.scheduler.spawn([this, &host] {
        environment_.scheduler.sleep(milliseconds(1000 + choose(15'000)));
        environment_.cluster.evict(host.number());
        environment_.scheduler.sleep(milliseconds(choose(10'000)));
        host.boot();
      });
  }
}

std::string World::step() {
  environment_.scheduler.step();
  for (auto& host : hosts_)
    host->bury();
  return violation();
}

std::string World::settle(milliseconds time) {
  auto end = environment_.scheduler.now() + time;
  for (int steps = 0; environment_.scheduler.now() < end; ++steps) {
    constexpr int most = 200'000;
    if (steps > most) return "does not come to rest";
    if (auto why = step(); !why.empty()) return why;
  }
  return {};
}

std::string World::violation() {
  auto running = std::count_if(hosts_.begin(), hosts_.end(),
                               [](const auto& host) { return host->up() && host->vm_runs(); });
  if (running > 1) return "the VM runs on two hosts";
  for (auto& host : hosts_) {
    bool holds =
        !host->up() || !host->has_qemu() ||
        environment_.cluster.level(host->number(), locks, dlmfs::LockName(environment_.vm.uuid));
    if (!holds) return fmt::format("node{} has a QEMU and no lock", host->number());
  }
  return {};
}

std::string World::violation_at_rest() {
  for (auto& host : hosts_) {
    if (host->busy()) return fmt::format("an operation on node{} does not end", host->number());
    auto level =
        environment_.cluster.level(host->number(), locks, dlmfs::LockName(environment_.vm.uuid));
    if (host->vm_runs() && level != dlmfs::Level::exclusive) {
      return fmt::format("node{} runs the VM and does not hold EX", host->number());
    }
    auto traces = host->traces();
    if (!host->vm_runs() && !traces.empty()) {
      return fmt::format("node{} does not run the VM and has {}", host->number(), traces);
    }
  }
  return {};
}

}  // namespace guard::simulation
