#include "tests/simulation/host.hpp"

#include <algorithm>
#include <sys/file.h>

namespace guard::simulation {
namespace {

constexpr pid_t pids_per_host = 1000;

/// Returns the digit after `key` in a log line: the number of a host.
std::size_t number_after(std::string_view key, std::string_view line) {
  auto place = line.find(key);
  if (place == std::string_view::npos) return 0;
  return static_cast<std::size_t>(line[place + key.size()] - '0');
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

Host::Host(Environment& environment, int number) : environment_(environment), number_(number) {
  environment.hosts.push_back(this);
  make_machine();
  start_keeper();
}

Host::~Host() = default;

void Host::make_machine() {
  auto files = MachineFiles::take();
  machine_ =
      std::make_unique<FakeHost>(environment_.cluster, number_,
                                 std::shared_ptr<const TemporaryDirectory>(files, &files->host));
  processes_ = std::make_unique<QemuProcesses>(files, first_pid + number_ * pids_per_host);
  auto& context = machine_->context;
  context.paths.processes = files->processes.path();
  auto open = [this] { return open_mount(); };
  context.cluster.open_checked_mount = context.cluster.open_any_mount = open;
  context.cluster.pause = [this](milliseconds time) { environment_.scheduler.sleep(time); };
  context.host.log = [this](int, const std::string& line) { on_event(line); };
}

Result<std::unique_ptr<dlmfs::Mount>> Host::open_mount() {
  if (!up_) return fail(Error{EHOSTDOWN, "no power"});
  auto current = environment_.scheduler.current();
  bool in_loop =
      current == 0 || (keeper_ && !keeper_->fibers.empty() && keeper_->fibers.front() == current);
  return std::make_unique<SleepingMount>(mount(!in_loop));
}

SleepingMount Host::mount(bool may_wait) {
  return {machine_->mount, environment_.scheduler, asleep_, may_wait,
          [this] { environment_.violated(fmt::format("an unlink hangs on node{}", number_)); }};
}

void Host::on_event(const std::string& line) {
  ++environment_.events[line.substr(0, line.find(' '))];
  environment_.note(line, number_);
  bool shares = line.starts_with("event=granted ") && line.find("how=hand-over") != line.npos;
  if (shares) check_share(*environment_.hosts.at(number_after("from=node", line) - 1));
  if (line.starts_with("event=hand-over ")) granted_hand_over_ = true;
  if (line.starts_with("event=granted ")) granted_hand_over_ = false;
  auto& awaited = environment_.awaited;
  if (awaited.empty() || line.find(awaited) == line.npos) return;
  awaited.clear();
  environment_.scheduler.spawn([this] {
    for (auto left = environment_.scheduler.choose(8); left > 0; --left)
      environment_.scheduler.yield();
    environment_.after_awaited(*this);
  });
}

/// I3: for each migration, one host at most gets the lock by a hand-over; if it is the target of a
/// migration, then of this one; and this migration still ran when the host had PR.
void Host::check_share(const Host& source) {
  auto record = source.machine_->context.host.load_record(environment_.vm);
  if (!record || !record->handed_over) return;
  auto& all = environment_.migrations;
  auto distance = [&](const Migration& migration) {
    return std::chrono::abs(migration.began - *record->handed_over);
  };
  auto found = std::min_element(all.begin(), all.end(), [&](const auto& one, const auto& other) {
    return distance(one) < distance(other);
  });
  auto number = static_cast<int>(found - all.begin());
  if (std::exchange(found->shared, true)) {
    environment_.violated("two hosts got the lock by the hand-over of one migration");
  }
  bool is_target = partner_ != nullptr && job_ != Job::outgoing;
  if (is_target && partner_->migration_ != number) {
    environment_.violated(
        fmt::format("node{} got the lock by the hand-over of another migration", number_));
  }
  // libvirt's reply may take some time. In that time, the guard cannot know exactly.
  constexpr std::chrono::seconds longest_reply{4};
  if (shared_since_ && found->ended && *found->ended + longest_reply < *shared_since_) {
    environment_.violated(
        fmt::format("node{} got the lock by the hand-over of a migration that was over", number_));
  }
  races_ = announced_ == number || announced_at_ + longest_reply > found->began;
}

void Host::observe_level(std::optional<dlmfs::Level> level) {
  if (level != dlmfs::Level::protected_read) {
    shared_since_.reset();
  } else if (!shared_since_) {
    shared_since_ = wall_clock();
  }
}

// The hook

/// Each call of the hook is a process: it has its own deadline, and its own connections.
hook::HookContext Host::hook_context() {
  const auto& machine = machine_->context;
  auto alive = [this, daemon = daemon_] { return libvirtd_ && daemon_ == daemon ? daemon : 1; };
  return {{machine.settings,
           {StateDirectory::open(machine.host.directory.path_of("")).value(), machine.host.log},
           machine.cluster,
           machine.paths},
          nullptr,
          std::make_unique<Client>(*this),
          {daemon_, [thread = thread_] { return thread; }, alive},
          Deadline(machine.settings.guard.acquire_timeout)};
}

/// Calls the hook and waits for it. `denies`: whether libvirt counts a killed or abandoned hook as
/// a denial.
bool Host::call(Handler handler, bool denies) {
  auto& scheduler = environment_.scheduler;
  auto verdict = std::make_shared<std::optional<bool>>();
  auto context = std::make_shared<hook::HookContext>(hook_context());
  auto hook = scheduler.spawn([this, handler, verdict, denies, context] {
    auto left = [verdict, denies] {
      if (!*verdict) *verdict = !denies;
    };
    context->runner = std::make_unique<ForkingFibers>(
        environment_.scheduler, [this](Scheduler::Id child) { children_.push_back(child); }, left);
    bool passed = !handler(*context, environment_.vm).denied;
    if (!*verdict) *verdict = passed;
  });
  hooks_.push_back(hook);
  calls_.emplace_back(hook, verdict);
  scheduler.wait_until([&] { return verdict->has_value() || scheduler.ended(hook); });
  return verdict->value_or(!denies);
}

/// Returns true while the daemon waits for a hook.
bool Host::hook_runs() {
  std::erase_if(calls_, [this](const auto& call) {
    return call.second->has_value() || environment_.scheduler.ended(call.first);
  });
  return !calls_.empty();
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

void Host::stop_child(milliseconds time) {
  for (auto id : children_)
    environment_.scheduler.stop(id, time);
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

void Host::lose_power() {
  if (!up_) return;
  bool was_target = partner_ != nullptr && partner_->qemu_ == Qemu::stopped;
  if (was_target) partner_->qemu_ = Qemu::runs;  // libvirt resumes the source
  end_libvirtd();
  up_ = waits_ = qemu_hangs_ = false;
  environment_.cluster.kill(number_);
  kill_fibers(hooks_);
  kill_fibers(children_);
  kill_fibers(others_);
  kill_keeper();
  fd_store_ = FdStoreStandIn();
  qemu_ = Qemu::none;
  pid_ = 0;
  outlived_.clear();
  processes_.reset();
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
      [this] { return environment_.cluster.changes() + ended_processes(); });
  Hypervisor& libvirt = *this;
  process->keeper = std::make_unique<Keeper>(machine_->context, libvirt, *process->loop, fd_store_);
  process->fibers.push_back(scheduler.spawn([process] {
    process->keeper->recover();
    process->loop->run();
  }));
}

void Host::hide_processes() {
  if (up_) processes_->show(false);
}

void Host::hide_requests() {
  machine_->mount.hide_requests(true);
}

void Host::show_all() {
  if (processes_) processes_->show(true);
  if (machine_) machine_->mount.hide_requests(false);
}

/// Only while no process of the guard changes the lock here: the guard looks for such a process
/// before it opens or unlinks the file, and cannot see one that comes a moment later.
void Host::open_lock_file() {
  if (!up_) return;
  others_.push_back(environment_.scheduler.spawn([this] {
    dlmfs::LockName name(environment_.vm.uuid);
    bool unused = flock_is_free() && !environment_.cluster.level(number_, locks, name) &&
                  !machine_->context.host.records().stamp(environment_.vm.uuid);
    if (!unused) return;
    waits_ = true;
    std::ignore = mount(true).queue_at_once(locks, name, dlmfs::Level::exclusive);
    waits_ = false;
  }));
}

bool Host::flock_is_free() const {
  const auto& directory = machine_->context.host.directory;
  UniqueFd fd(::open(directory.path_of(environment_.vm.uuid.text() + ".flock").c_str(),
                     O_RDWR | O_CLOEXEC));
  return !fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

// What the invariants are about

std::size_t Host::running_qemus() const {
  auto ran = std::count_if(outlived_.begin(), outlived_.end(),
                           [](const auto& process) { return process.second; });
  return static_cast<std::size_t>(ran) + (vm_runs() ? 1 : 0);
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
    if (file.starts_with(environment_.vm.uuid.text())) found.push_back(file);
  }
  return fmt::format("{}", fmt::join(found, " "));
}

std::string Host::missing() {
  using dlmfs::Level;
  dlmfs::LockName name(environment_.vm.uuid);
  if (environment_.cluster.level(number_, locks, name) != Level::exclusive) return "EX";
  if (environment_.cluster.level(number_, bells, name) != Level::exclusive) return "the bell";
  if (!machine_->context.host.records().stamp(environment_.vm.uuid)) return "a record";
  if (keeper_->keeper->level(environment_.vm) != Level::exclusive) return "a keeper that keeps it";
  return {};
}

}  // namespace guard::simulation
