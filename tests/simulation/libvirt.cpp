#include <fcntl.h>
#include <fstream>
#include <sys/stat.h>

#include "tests/simulation/host.hpp"

/// The part of a host that is libvirt: its daemon, and the QEMU that it starts and ends.
namespace guard::simulation {

using namespace hook;

// Queries

/// libvirt has a VM locked while a hook runs for it, so its reply comes later. Sometimes all
/// threads of the daemon are busy.
bool Host::answers() {
  auto& scheduler = environment_.scheduler;
  constexpr std::size_t seldom = 64;
  scheduler.yield();
  if (scheduler.choose(seldom) == 0) scheduler.sleep(milliseconds(scheduler.choose(4000)));
  scheduler.wait_until([this] { return !hook_runs() || !libvirtd_; });
  return libvirtd_;
}

Result<VmState> Host::state_of(const dlmfs::Uuid&) {
  if (!answers()) return fail(Error{1, "no daemon"});
  if (job_ == Job::incoming) return fail(Error{1, "only on the source host"});
  VmState state{.active = active_};
  if (job_ == Job::outgoing) {
    state.job = VmState::Job::outgoing_migration;
    state.job_age = wall_clock() - environment_.migrations.back().began;
  }
  return state;
}

Result<std::vector<Vm>> Host::active() {
  if (!answers()) return fail(Error{1, "no daemon"});
  return active_ ? std::vector<Vm>{environment_.vm} : std::vector<Vm>{};
}

// QEMU

void Host::start_qemu(Qemu qemu, const std::string& job) {
  qemu_ = qemu;
  pid_ = processes_->start(environment_.vm.uuid.text(), qemu == Qemu::incoming);
  machine_->write_pid_file(environment_.vm, Process{pid_});
  write_job(job);
}

/// libvirt kills QEMU. Most end at once.
void Host::end_qemu() {
  auto& scheduler = environment_.scheduler;
  if (!has_qemu()) return;
  bool ran = qemu_ == Qemu::runs;
  qemu_ = Qemu::none;
  auto pid = std::exchange(pid_, 0);
  milliseconds rest{0};
  if (std::exchange(qemu_hangs_, false)) {
    rest = milliseconds(1000 + scheduler.choose(15'000));
  } else if (scheduler.choose(6) == 0) {
    rest = milliseconds(scheduler.choose(400));
  }
  if (rest.count() == 0) return processes_->end(pid);
  outlived_[pid] = ran;
  environment_.note(fmt::format("QEMU lives on for {} ms", rest.count()), number_);
  others_.push_back(scheduler.spawn([this, pid, rest] {
    environment_.scheduler.sleep(rest);
    processes_->end(pid);
    outlived_.erase(pid);
  }));
}

void Host::write_job(const std::string& job, const std::string& phase) {
  if (!environment_.status_files) return;
  machine_->write_libvirt_job(environment_.vm, job, phase);
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const timespec both[] = {now, now};
  auto file = machine_->context.paths.pid_files + "/qemu/" + environment_.vm.name + ".xml";
  ::utimensat(AT_FDCWD, file.c_str(), both, 0);
}

// Operations

void Host::operate(std::function<void()> operation) {
  if (!up_ || !libvirtd_ || busy_) return;
  busy_ = true;
  operations_.push_back(environment_.scheduler.spawn([this, operation = std::move(operation)] {
    operation();
    busy_ = false;
  }));
}

/// One of the daemon's threads begins to start the VM.
void Host::begin_start() {
  constexpr std::size_t threads = 2;
  active_ = true;
  races_ = false;
  thread_ = static_cast<pid_t>(1 + environment_.scheduler.choose(threads));
}

/// The end of every run, and of every attempt.
void Host::end() {
  environment_.note("libvirt ends it", number_);
  end_qemu();
  std::ignore = call(stopped, false);
  for (const char* file : {"/qemu/web.pid", "/qemu/web.xml"})
    std::filesystem::remove(machine_->context.paths.pid_files + file);
  std::ignore = call(release, false);
  active_ = false;
}

/// One case is left out, as in tests/model (RACE): libvirt refused a migration that it had
/// announced, and the source has not learnt it yet. A cold start at that moment gets the lock by
/// the hand-over of this migration, and its CPUs run before `started` denies it. Here, such a VM is
/// started paused.
void Host::start(Start how) {
  operate([this, how] {
    if (active_) return;
    auto& scheduler = environment_.scheduler;
    begin_start();
    if (how == Start::restored) std::ignore = call(restore, false);
    if (!call(prepare, true) || !call(hook::start, true)) return end();
    auto begin = how != Start::cold ? Qemu::incoming : races_ ? Qemu::paused : Qemu::runs;
    start_qemu(begin, how == Start::reverted ? "snapshot" : "start");
    scheduler.yield();
    if (!call(started, true)) return end();
    for (auto left = scheduler.choose(6); begin != Qemu::runs && left > 0; --left)
      scheduler.yield();
    qemu_ = Qemu::runs;
    write_job("none");
  });
}

void Host::stop() {
  operate([this] {
    if (active_) end();
  });
}

void Host::lose_qemu() {
  if (qemu_ != Qemu::runs || busy_) return;
  processes_->end(std::exchange(pid_, 0));
  qemu_ = Qemu::none;
  stop();
}

// Migration

bool Host::can_migrate_to(const Host& target) const {
  return this != &target && up_ && libvirtd_ && !busy_ && vm_runs() && target.up_ &&
         target.libvirtd_ && !target.busy_ && !target.active_;
}

void Host::begin_job(Host& target) {
  job_ = Job::outgoing;
  migration_ = static_cast<int>(environment_.migrations.size());
  environment_.migrations.push_back({wall_clock()});
  partner_ = &target;
  target.partner_ = this;
  target.busy_ = true;
  write_job("migration out", "begin3");
}

/// From now on, the target's operation is not part of the source's.
void Host::leave(Host& target) {
  partner_ = target.partner_ = nullptr;
  target.job_ = Job::none;
  target.busy_ = false;
  std::erase(target.operations_, environment_.scheduler.current());
}

void Host::end_job() {
  if (std::exchange(job_, Job::none) == Job::outgoing) {
    environment_.migrations.back().ended = wall_clock();
  }
  if (has_qemu()) write_job("none");
}

void Host::announce(int migration) {
  announced_ = migration;
  announced_at_ = wall_clock();
  std::ignore = call(hook::migrate, false);
}

/// What the target does until QEMU waits for the guest's memory. Returns false if it is denied.
bool Host::prepare_incoming(int migration) {
  begin_start();
  announce(migration);
  if (!call(prepare, true) || !call(hook::start, true)) return false;
  start_qemu(Qemu::incoming, "migration in");
  job_ = Job::incoming;
  return call(started, true);
}

/// The time that a request takes from one libvirt to the other.
void Host::wait_for_request() {
  auto& scheduler = environment_.scheduler;
  scheduler.sleep(milliseconds(2 + scheduler.choose(20)));
}

void Host::migrate_to(Host& target) {
  if (!can_migrate_to(target)) return;
  begin_job(target);
  operate([this, &target] {
    auto& scheduler = environment_.scheduler;
    wait_for_request();
    bool granted = target.prepare_incoming(migration_);
    if (granted) write_job("migration out", "perform3");
    auto steps = scheduler.choose(40);
    for (std::size_t i = 0; granted && i < steps; ++i)
      scheduler.yield();
    if (scheduler.choose(3) == 0) scheduler.sleep(milliseconds(scheduler.choose(4000)));
    if (!granted || scheduler.choose(4) == 0) {
      target.end_qemu();
      end_job();
      target.end();
      return leave(target);
    }
    qemu_ = Qemu::stopped;
    target.qemu_ = Qemu::runs;  // the same process, still with -incoming
    target.write_job("none");
    scheduler.yield();
    end_qemu();
    end_job();
    leave(target);
    end();
  });
  target.operations_.push_back(operations_.back());
}

void Host::announce_to(Host& target) {
  if (!can_migrate_to(target)) return;
  begin_job(target);
  operate([this, &target] {
    auto& scheduler = environment_.scheduler;
    wait_for_request();
    target.begin_start();
    target.active_ = false;
    target.announce(migration_);
    leave(target);
    scheduler.sleep(milliseconds(scheduler.choose(4000)));
    end_job();
  });
  target.operations_.push_back(operations_.back());
}

void Host::abandon_migration_to(Host& target) {
  if (!can_migrate_to(target)) return;
  begin_job(target);
  operate([this, &target] {
    auto& scheduler = environment_.scheduler;
    scheduler.sleep(milliseconds(scheduler.choose(300)));
    leave(target);
    end_job();
    target.operate([&target, number = migration_, delay = milliseconds(scheduler.choose(1500))] {
      target.environment_.scheduler.sleep(delay);
      if (target.active_) return;
      if (target.prepare_incoming(number)) target.environment_.scheduler.sleep(delay);
      target.job_ = Job::none;
      target.end();
    });
  });
  target.operations_.push_back(operations_.back());
}

/// The target learns it a moment later.
void Host::abort_migration() {
  if (job_ != Job::outgoing || qemu_ == Qemu::stopped) return;
  kill_fibers(operations_);
  busy_ = false;
  end_job();
  end_on_target();
}

/// The target ends what the source has left.
void Host::end_on_target() {
  Host* target = std::exchange(partner_, nullptr);
  if (target == nullptr) return;
  target->partner_ = nullptr;
  target->operations_.clear();
  target->busy_ = false;
  target->job_ = Job::none;
  if (target->vm_runs()) return;
  target->operate([target] {
    target->environment_.scheduler.wait_until([target] { return !target->hook_runs(); });
    target->end();
  });
}

// The daemon's own end and start

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
  calls_.clear();
  kill_fibers(operations_);
  busy_ = false;
  bool was_source = job_ == Job::outgoing;
  end_job();
  if (was_source) return end_on_target();
  Host* source = std::exchange(partner_, nullptr);
  if (source == nullptr) return;
  source->partner_ = nullptr;
  source->operations_.clear();
  source->busy_ = false;
  source->end_job();
}

void Host::start_libvirtd() {
  if (!up_ || libvirtd_) return;
  libvirtd_ = true;
  ++daemon_;
  reconnect_vm();
}

/// What libvirt does with a VM that it finds. It forgets one whose QEMU it had not started.
void Host::reconnect_vm() {
  bool goes_on = qemu_ == Qemu::runs || qemu_ == Qemu::paused;
  active_ = has_qemu();
  if (!active_) return;
  operate([this, goes_on] {
    if (!goes_on || !call(reconnect, true)) return end();
    qemu_ = Qemu::runs;
    write_job("none");
  });
}

}  // namespace guard::simulation
