#include "tests/simulation/world.hpp"

#include <algorithm>
#include <fstream>
#include <sys/file.h>

namespace guard::simulation {
namespace {

using namespace hook;

constexpr milliseconds acquire_timeout{10'000};
constexpr pid_t first_daemon = 4711;

Vm vm_without_disks() {
  Vm vm{"web", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};
  vm.io_uring_disks.emplace();
  return vm;
}

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

}  // namespace

/// The hook's connection to the keeper of its host.
class Host::Client final : public KeeperClient {
 public:
  explicit Client(Host& host) : host_(host) {}

  bool keep(const Vm& vm, Pins pins) override {
    if (!keeper()) return false;
    keeper()->keep(vm, std::move(pins));
    return true;
  }
  Closed close(const Vm& vm) override {
    constexpr milliseconds patience{1000};
    if (!keeper()) return Closed::no_keeper;
    auto closed = std::make_shared<std::optional<bool>>();
    keeper()->close(vm, [closed](bool quiet) { *closed = quiet; });
    auto answered = [this, closed] { return *closed || !keeper(); };
    host_.world_.scheduler.wait_until(answered, patience);
    if (!*closed) return Closed::no_answer;
    return **closed ? Closed::quiet : Closed::yes;
  }
  [[nodiscard]] LevelReply level(const Vm& vm) override {
    if (!keeper()) return {};
    return {true, keeper()->level(vm)};
  }
  [[nodiscard]] std::optional<std::vector<KeptLockInfo>> kept() override {
    return keeper() ? std::optional(keeper()->kept()) : std::nullopt;
  }
  bool reconcile() override {
    if (!keeper()) return false;
    keeper()->reconcile();
    return true;
  }
  void look(const Vm& vm) override {
    if (keeper()) keeper()->look(vm);
  }

 private:
  [[nodiscard]] Keeper* keeper() const {
    return host_.keeper_ ? host_.keeper_->keeper.get() : nullptr;
  }
  Host& host_;
};

Host::Host(World& world, int number) : world_(world), number_(number) {
  make_machine();
  start_keeper();
}

Host::~Host() = default;

void Host::make_machine() {
  machine_ = std::make_unique<FakeHost>(world_.cluster, number_);
  proc_ = std::make_unique<FakeProc>();
  auto& context = machine_->context;
  context.paths.processes = proc_->path();
  auto open = [this] { return open_mount(); };
  context.cluster.open_checked_mount = context.cluster.open_any_mount = open;
  context.cluster.pause = [this](milliseconds time) { world_.scheduler.sleep(time); };
  context.keeper = std::make_unique<Client>(*this);
  context.deadline = Deadline(std::chrono::seconds(10));
  context.caller = {first_daemon, [this] { return thread_; }};
  context.host.log = [this](int, const std::string& line) {
    ++world_.events[line.substr(0, line.find(' '))];
    world_.note(line, number_);
  };
}

Result<std::unique_ptr<dlmfs::Mount>> Host::open_mount() {
  if (!up_) return fail(Error{EHOSTDOWN, "no power"});
  auto current = world_.scheduler.current();
  bool in_loop =
      current == 0 || (keeper_ && !keeper_->fibers.empty() && keeper_->fibers.front() == current);
  return std::make_unique<SleepingMount>(machine_->mount, world_.scheduler, asleep_, !in_loop);
}

// libvirt

Result<VmState> Host::state_of(const dlmfs::Uuid&) {
  world_.scheduler.yield();
  if (!libvirtd_) return fail(Error{1, "no daemon"});
  VmState state{.active = active_};
  if (job_ == Job::outgoing) {
    state.job = VmState::Job::outgoing_migration;
    state.job_age = std::chrono::ceil<milliseconds>(std::chrono::steady_clock::now() - job_began_);
  } else if (job_ == Job::incoming) {
    state.job = VmState::Job::incoming_migration;
  }
  return state;
}

Result<std::vector<Vm>> Host::active() {
  world_.scheduler.yield();
  if (!libvirtd_) return fail(Error{1, "no daemon"});
  return active_ ? std::vector<Vm>{world_.vm} : std::vector<Vm>{};
}

void Host::operate(std::function<void()> operation) {
  if (!up_ || !libvirtd_ || busy_) return;
  busy_ = true;
  operations_.push_back(world_.scheduler.spawn([this, operation = std::move(operation)] {
    operation();
    busy_ = false;
  }));
}

bool Host::flock_is_free() const {
  const auto& directory = machine_->context.host.directory;
  UniqueFd fd(
      ::open(directory.path_of(world_.vm.uuid.text() + ".flock").c_str(), O_RDWR | O_CLOEXEC));
  return !fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

/// Calls the hook and waits for it. `denies`: whether libvirt counts a killed or abandoned hook as
/// a denial. The real hook waits for the VM's flock in short sleeps; here the scheduler waits.
bool Host::call(Handler handler, bool denies) {
  auto verdict = std::make_shared<std::optional<bool>>();
  auto hook = world_.scheduler.spawn([this, handler, verdict, denies] {
    auto& context = machine_->context;
    bool free = world_.scheduler.wait_until([this] { return flock_is_free(); }, acquire_timeout);
    if (!free) {
      *verdict = !denies;
      return;
    }
    auto left = [verdict, denies] {
      if (!*verdict) *verdict = !denies;
    };
    context.runner = std::make_unique<ForkingFibers>(
        world_.scheduler, [this](Scheduler::Id child) { children_.push_back(child); }, left);
    bool passed = !handler(context, world_.vm).denied;
    if (!*verdict) *verdict = passed;
  });
  hooks_.push_back(hook);
  world_.scheduler.wait_until([&] { return verdict->has_value() || world_.scheduler.ended(hook); });
  return verdict->value_or(!denies);
}

/// Shows a QEMU in /proc, with this test's own pid: a new start time makes it another process.
void Host::set_qemu(Qemu qemu) {
  qemu_ = qemu;
  const auto& vm = world_.vm;
  auto process = proc_->path() / std::to_string(::getpid());
  const auto& pid_files = machine_->context.paths.pid_files;
  ++start_time_;
  std::string arguments = "other";
  if (qemu == Qemu::none) {
    std::filesystem::remove(pid_files / "qemu" / "web.pid");
    std::filesystem::remove(pid_files / "qemu" / "web.xml");
  } else {
    using namespace std::string_literals;
    arguments = "qemu\0-uuid\0"s + vm.uuid.text() + "\0"s;
    if (qemu == Qemu::incoming) arguments += "-incoming\0defer\0"s;
    write_file(pid_files / "qemu" / "web.pid", std::to_string(::getpid()) + "\n");
    machine_->write_libvirt_job(vm, qemu == Qemu::incoming ? "migration in" : "none");
  }
  write_file(process / "cmdline", arguments);
  write_file(process / "stat", fmt::format("{} (qemu) S 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 {} 0\n",
                                           ::getpid(), start_time_));
}

void Host::end() {
  std::ignore = call(release, false);
  active_ = false;
}

void Host::start() {
  operate([this] {
    if (active_) return;
    active_ = true;
    ++thread_;
    if (!call(prepare, true) || !call(hook::start, true)) return end();
    set_qemu(Qemu::runs);
    world_.scheduler.yield();
    if (call(started, true)) return;
    set_qemu(Qemu::none);
    end();
  });
}

void Host::stop() {
  operate([this] {
    if (!active_) return;
    set_qemu(Qemu::none);
    std::ignore = call(stopped, false);
    end();
  });
}

void Host::lose_qemu() {
  if (qemu_ != Qemu::runs || busy_) return;
  set_qemu(Qemu::none);
  stop();
}

void Host::migrate_to(Host& target) {
  bool possible = this != &target && up_ && libvirtd_ && !busy_ && vm_runs() && target.up_ &&
                  target.libvirtd_ && !target.busy_ && !target.active_;
  if (!possible) return;
  // Jobs are told apart by when they began. In this simulation they begin ten seconds apart.
  job_began_ = std::chrono::steady_clock::now() - std::chrono::hours(1) +
               std::chrono::seconds(10) * ++world_.jobs;
  job_ = Job::outgoing;
  partner_ = &target;
  target.partner_ = this;
  target.busy_ = true;
  auto over = [this, &target] {
    job_ = target.job_ = Job::none;
    partner_ = target.partner_ = nullptr;
    target.busy_ = false;
  };
  operate([this, &target, over] {
    auto& scheduler = world_.scheduler;
    target.active_ = true;
    ++target.thread_;
    std::ignore = target.call(hook::migrate, false);
    bool granted = target.call(prepare, true) && target.call(hook::start, true);
    if (granted) {
      target.set_qemu(Qemu::incoming);
      target.job_ = Job::incoming;
      granted = target.call(started, true);
    }
    auto steps = scheduler.choose(40);
    for (std::size_t i = 0; granted && i < steps; ++i)
      scheduler.yield();
    if (scheduler.choose(3) == 0) scheduler.sleep(milliseconds(scheduler.choose(4000)));
    if (!granted || scheduler.choose(4) == 0) {
      if (target.has_qemu()) target.set_qemu(Qemu::none);
      job_ = Job::none;
      target.end();
      return over();
    }
    qemu_ = Qemu::stopped;
    target.qemu_ = Qemu::runs;  // the same process, still with -incoming
    scheduler.yield();
    set_qemu(Qemu::none);
    over();
    std::erase(target.operations_, scheduler.current());  // the rest concerns the source alone
    std::ignore = call(stopped, false);
    end();
  });
  target.operations_.push_back(operations_.back());
}

// Faults

void Host::kill_fibers(std::vector<Scheduler::Id>& fibers) {
  for (auto id : fibers)
    world_.scheduler.kill(id);
  fibers.clear();
}

void Host::kill_hook() {
  kill_fibers(hooks_);
}

void Host::kill_child() {
  kill_fibers(children_);
}

void Host::kill_keeper() {
  if (!keeper_) return;
  kill_fibers(keeper_->fibers);
  killed_keepers_.push_back(std::move(keeper_));
}

void Host::bury() {
  std::erase_if(killed_keepers_, [this](const auto& killed) {
    return std::all_of(killed->fibers.begin(), killed->fibers.end(),
                       [this](auto id) { return world_.scheduler.ended(id); });
  });
}

/// Not between the last step of a migration and its reply: libvirt may then run the VM on both
/// hosts, which no lock can prevent: see start-guard(7), CAVEATS.
void Host::kill_libvirtd() {
  bool last_step =
      partner_ != nullptr && (qemu_ == Qemu::stopped || partner_->qemu_ == Qemu::stopped);
  if (!last_step) end_libvirtd();
}

/// The hooks that it called continue to run. In a migration, the other daemon finds out.
void Host::end_libvirtd() {
  if (!libvirtd_) return;
  libvirtd_ = false;
  kill_fibers(operations_);
  busy_ = false;
  Host* other = std::exchange(partner_, nullptr);
  if (other == nullptr) return;
  bool other_is_target = job_ == Job::outgoing;
  other->partner_ = nullptr;
  other->operations_.clear();
  other->job_ = Job::none;
  other->busy_ = false;
  job_ = Job::none;
  if (!other_is_target || other->vm_runs()) return;
  other->operate([other] {
    if (other->has_qemu()) other->set_qemu(Qemu::none);
    other->end();
  });
}

void Host::start_libvirtd() {
  if (!up_ || libvirtd_) return;
  libvirtd_ = true;
  reconnect_vm();
}

/// What libvirt does with a VM that it finds. It forgets one whose QEMU it had not started.
void Host::reconnect_vm() {
  bool goes_on = qemu_ == Qemu::runs;
  if (!has_qemu()) {
    active_ = false;
    return;
  }
  active_ = true;
  operate([this, goes_on] {
    if (goes_on) {
      std::ignore = call(reconnect, false);
      return;
    }
    set_qemu(Qemu::none);
    std::ignore = call(stopped, false);
    end();
  });
}

void Host::lose_power() {
  if (!up_) return;
  bool was_target = partner_ != nullptr && partner_->qemu_ == Qemu::stopped;
  if (was_target) partner_->qemu_ = Qemu::runs;  // libvirt resumes the source
  end_libvirtd();
  up_ = false;
  world_.cluster.kill(number_);
  kill_fibers(hooks_);
  kill_fibers(children_);
  kill_keeper();
  fd_store_ = FdStoreStandIn();
  qemu_ = Qemu::none;
  active_ = false;
}

void Host::boot() {
  if (up_) return;
  world_.cluster.boot(number_);
  former_machines_.push_back(std::move(machine_));
  up_ = true;
  make_machine();
  start_keeper();
  start_libvirtd();
}

void Host::start_keeper() {
  if (keeper_ || !up_) return;
  keeper_ = std::make_unique<KeeperProcess>();
  auto* process = keeper_.get();
  auto& scheduler = world_.scheduler;
  process->loop = std::make_unique<FiberLoop>(
      scheduler, [process](Scheduler::Id worker) { process->fibers.push_back(worker); });
  Hypervisor& libvirt = *this;
  process->keeper = std::make_unique<Keeper>(machine_->context, libvirt, *process->loop, fd_store_);
  process->fibers.push_back(scheduler.spawn([process] {
    process->keeper->recover();
    process->loop->run();
  }));
}

std::string Host::traces() {
  if (!up_) return {};
  std::vector<std::string> found;
  for (const auto* domain : {&locks, &bells}) {
    auto names = machine_->mount.list(*domain);
    if (names && !names->empty()) found.push_back(domain->text());
  }
  auto files = machine_->context.host.directory.list();
  for (const auto& file : files.value_or(std::vector<std::string>())) {
    bool announcement = file.ends_with(".migrate");  // expires by the real clock
    if (file.starts_with(world_.vm.uuid.text()) && !announcement) found.push_back(file);
  }
  return fmt::format("{}", fmt::join(found, " "));
}

// The world

World::World(std::uint64_t seed)
    : scheduler(seed), vm(vm_without_disks()), faults_left_(static_cast<int>(scheduler.choose(4))) {
  for (int number = 1; number <= 3; ++number)
    hosts_.push_back(std::make_unique<Host>(*this, number));
}

void World::note(const std::string& what, int node) {
  acts_ += fmt::format("{} ms: node{}: {}\n", scheduler.now().count(), node, what);
}

std::string World::run() {
  auto acts = 3 + scheduler.choose(6);
  for (std::size_t i = 0; i < acts; ++i) {
    auto steps = scheduler.choose(120);
    for (std::size_t j = 0; j < steps; ++j) {
      if (auto why = step(); !why.empty()) return fmt::format("{}\n{}", why, acts_);
    }
    if (scheduler.choose(4) == 0) {
      if (auto why = settle(milliseconds(scheduler.choose(5000))); !why.empty())
        return fmt::format("{}\n{}", why, acts_);
    }
    act();
  }
  if (auto why = settle(milliseconds(20'000)); !why.empty())
    return fmt::format("{}\n{}", why, acts_);
  for (auto& host : hosts_) {
    if (!host->up()) {
      cluster.evict(host->number());
      host->boot();
    }
    host->start_keeper();
    host->start_libvirtd();
  }
  if (auto why = settle(milliseconds(70'000)); !why.empty())
    return fmt::format("{}\n{}", why, acts_);
  auto why = violation_at_rest();
  return why.empty() ? why : fmt::format("{}\n{}", why, acts_);
}

void World::act() {
  Host& host = any_host();
  auto kind = scheduler.choose(faults_left_ > 0 ? 16 : 10);
  if (kind < 4) {
    note("start", host.number());
    return host.start();
  }
  if (kind < 8) {
    Host& target = any_host();
    for (auto& source : hosts_) {
      if (!source->vm_runs()) continue;
      note(fmt::format("migrate to node{}", target.number()), source->number());
      return source->migrate_to(target);
    }
    note("start", host.number());
    return host.start();
  }
  for (auto& running : hosts_) {
    if (kind >= 10 || !running->vm_runs()) continue;
    note(kind == 8 ? "stop" : "QEMU dies", running->number());
    return kind == 8 ? running->stop() : running->lose_qemu();
  }
  if (kind >= 10) fault(host);
}

void World::fault(Host& host) {
  --faults_left_;
  auto later = [this](Host& on, void (Host::*repair)()) {
    auto time = milliseconds(scheduler.choose(6000));
    scheduler.spawn([this, &on, repair, time] {
      scheduler.sleep(time);
      (on.*repair)();
    });
  };
  switch (scheduler.choose(6)) {
    case 0:
      note("kill the hook", host.number());
      return host.kill_hook();
    case 1:
      note("kill the hook's child", host.number());
      return host.kill_child();
    case 2:
    case 3:
      note("kill the keeper", host.number());
      host.kill_keeper();
      return later(host, &Host::start_keeper);
    case 4:
      note("kill libvirtd", host.number());
      host.kill_libvirtd();
      return later(host, &Host::start_libvirtd);
    default:
      if (!host.up()) return;
      note("power off", host.number());
      host.lose_power();
      scheduler.spawn([this, &host] {
        scheduler.sleep(milliseconds(1000 + scheduler.choose(15'000)));
        cluster.evict(host.number());
        scheduler.sleep(milliseconds(scheduler.choose(10'000)));
        host.boot();
      });
  }
}

std::string World::step() {
  scheduler.step();
  for (auto& host : hosts_)
    host->bury();
  return violation();
}

std::string World::settle(milliseconds time) {
  auto end = scheduler.now() + time;
  for (int steps = 0; scheduler.now() < end; ++steps) {
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
    bool holds = !host->up() || !host->has_qemu() ||
                 cluster.level(host->number(), locks, dlmfs::LockName(vm.uuid));
    if (!holds) return fmt::format("node{} has a QEMU and no lock", host->number());
  }
  return {};
}

std::string World::violation_at_rest() {
  for (auto& host : hosts_) {
    if (host->busy()) return fmt::format("an operation on node{} does not end", host->number());
    auto level = cluster.level(host->number(), locks, dlmfs::LockName(vm.uuid));
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
