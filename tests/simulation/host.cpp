#include "tests/simulation/host.hpp"

#include <algorithm>
#include <fstream>
#include <sys/file.h>

namespace guard::simulation {
namespace {

using namespace hook;

constexpr pid_t first_daemon = 4711;

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
    host_.environment_.scheduler.wait_until(answered, patience);
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

void Environment::note(const std::string& what, int node) {
  history += fmt::format("{} ms: node{}: {}\n", scheduler.now().count(), node, what);
}

std::shared_ptr<MachineFiles> MachineFiles::take() {
  static std::vector<std::unique_ptr<MachineFiles>> free;
  if (free.empty()) free.push_back(std::make_unique<MachineFiles>());
  auto* files = free.back().release();
  free.pop_back();
  return {files, [](MachineFiles* used) {
            used->empty();
            free.emplace_back(used);
          }};
}

void MachineFiles::empty() const {
  for (const auto& directory :
       {host.path() / "state", host.path() / "pid-files" / "qemu", own_process()}) {
    if (!std::filesystem::exists(directory)) continue;
    for (const auto& file : std::filesystem::directory_iterator(directory))
      std::filesystem::remove(file);
  }
}

Host::Host(Environment& environment, int number) : environment_(environment), number_(number) {
  make_machine();
  start_keeper();
}

Host::~Host() = default;

void Host::make_machine() {
  auto files = MachineFiles::take();
  machine_ =
      std::make_unique<FakeHost>(environment_.cluster, number_,
                                 std::shared_ptr<const TemporaryDirectory>(files, &files->host));
  files_ = std::move(files);
  auto& context = machine_->context;
  context.paths.processes = files_->processes.path();
  auto open = [this] { return open_mount(); };
  context.cluster.open_checked_mount = context.cluster.open_any_mount = open;
  context.cluster.pause = [this](milliseconds time) { environment_.scheduler.sleep(time); };
  context.keeper = std::make_unique<Client>(*this);
  context.deadline = Deadline(std::chrono::seconds(10));
  context.caller = {first_daemon, [this] { return thread_; }};
  context.host.log = [this](int, const std::string& line) {
    ++environment_.events[line.substr(0, line.find(' '))];
    environment_.note(line, number_);
  };
}

Result<std::unique_ptr<dlmfs::Mount>> Host::open_mount() {
  if (!up_) return fail(Error{EHOSTDOWN, "no power"});
  auto current = environment_.scheduler.current();
  bool in_loop =
      current == 0 || (keeper_ && !keeper_->fibers.empty() && keeper_->fibers.front() == current);
  return std::make_unique<SleepingMount>(machine_->mount, environment_.scheduler, asleep_,
                                         !in_loop);
}

// libvirt

Result<VmState> Host::state_of(const dlmfs::Uuid&) {
  environment_.scheduler.yield();
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
  environment_.scheduler.yield();
  if (!libvirtd_) return fail(Error{1, "no daemon"});
  return active_ ? std::vector<Vm>{environment_.vm} : std::vector<Vm>{};
}

void Host::operate(std::function<void()> operation) {
  if (!up_ || !libvirtd_ || busy_) return;
  busy_ = true;
  operations_.push_back(environment_.scheduler.spawn([this, operation = std::move(operation)] {
    operation();
    busy_ = false;
  }));
}

bool Host::flock_is_free() const {
  const auto& directory = machine_->context.host.directory;
  UniqueFd fd(::open(directory.path_of(environment_.vm.uuid.text() + ".flock").c_str(),
                     O_RDWR | O_CLOEXEC));
  return !fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

/// Calls the hook and waits for it. `denies`: whether libvirt counts a killed or abandoned hook as
/// a denial. The real hook waits for the VM's flock in short sleeps; here the scheduler waits.
bool Host::call(Handler handler, bool denies) {
  auto verdict = std::make_shared<std::optional<bool>>();
  auto hook = environment_.scheduler.spawn([this, handler, verdict, denies] {
    auto& context = machine_->context;
    bool free =
        environment_.scheduler.wait_until([this] { return flock_is_free(); }, acquire_timeout);
    if (!free) {
      *verdict = !denies;
      return;
    }
    auto left = [verdict, denies] {
      if (!*verdict) *verdict = !denies;
    };
    context.runner = std::make_unique<ForkingFibers>(
        environment_.scheduler, [this](Scheduler::Id child) { children_.push_back(child); }, left);
    bool passed = !handler(context, environment_.vm).denied;
    if (!*verdict) *verdict = passed;
  });
  hooks_.push_back(hook);
  environment_.scheduler.wait_until(
      [&] { return verdict->has_value() || environment_.scheduler.ended(hook); });
  return verdict->value_or(!denies);
}

/// Shows a QEMU in /proc, with this test's own pid: a new start time makes it another process.
void Host::set_qemu(Qemu qemu) {
  qemu_ = qemu;
  const auto& vm = environment_.vm;
  auto process = files_->own_process();
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
    environment_.scheduler.yield();
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
               std::chrono::seconds(10) * ++environment_.jobs;
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
    auto& scheduler = environment_.scheduler;
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
    environment_.scheduler.kill(id);
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
                       [this](auto id) { return environment_.scheduler.ended(id); });
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
  environment_.cluster.kill(number_);
  kill_fibers(hooks_);
  kill_fibers(children_);
  kill_keeper();
  fd_store_ = FdStoreStandIn();
  qemu_ = Qemu::none;
  active_ = false;
}

void Host::boot() {
  if (up_) return;
  environment_.cluster.boot(number_);
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
  auto& scheduler = environment_.scheduler;
  process->loop = std::make_unique<FiberLoop>(
      scheduler, [process](Scheduler::Id worker) { process->fibers.push_back(worker); },
      [this] { return environment_.cluster.changes(); });
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
    if (file.starts_with(environment_.vm.uuid.text()) && !announcement) found.push_back(file);
  }
  return fmt::format("{}", fmt::join(found, " "));
}

}  // namespace guard::simulation
