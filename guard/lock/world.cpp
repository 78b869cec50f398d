#include "guard/lock/world.hpp"

#include <thread>
#include <unistd.h>

#include "dlmfs/cluster.hpp"
#include "dlmfs/kernel_mount.hpp"
#include "guard/host/event_counter.hpp"
#include "guard/lock/denial.hpp"
#include "guard/log/system_log.hpp"
#include "guard/system/time_text.hpp"

namespace guard {
namespace {

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
}

Result<std::unique_ptr<dlmfs::Mount>> reach(const std::filesystem::path& path) {
  auto mount = dlmfs::KernelMount::open(path);
  if (!mount) {
    return fail(Error{mount.error().code, fmt::format("{}: mount -t ocfs2_dlmfs ocfs2_dlmfs {}",
                                                      mount.error().what, path.string())});
  }
  return std::make_unique<dlmfs::KernelMount>(std::move(*mount));
}

}  // namespace

Domains Domains::named(const std::string& name) {
  auto locks = dlmfs::DomainName::parse(name);
  auto bells = dlmfs::DomainName::parse(name + "-bell");
  return Domains{locks.value(), bells.value()};
}

std::optional<Record> World::load_record(const Vm& vm) const {
  auto record = records().find(vm.uuid);
  if (record) return std::move(*record);
  log_event(events::record_unreadable, vm, {{"error", record.error().what}});
  return Record{vm, now_in_seconds(), Origin::start};
}

std::vector<Record> World::in_other_domains() const {
  std::vector<Record> others;
  for (const dlmfs::Uuid& uuid : records().list().value_or(std::vector<dlmfs::Uuid>())) {
    auto record = records().find(uuid);
    if (!record || !*record || (*record)->domain.empty()) continue;
    if ((*record)->domain != settings.dlmfs.domain) others.push_back(std::move(**record));
  }
  return others;
}

void World::log_event(const Event& event, const Vm& vm,
                      std::initializer_list<LogField> more) const {
  if (event == events::denied) EventCounter(state, EventCounter::Of::denied).add();
  if (event == events::hand_over) EventCounter(state, EventCounter::Of::hand_overs).add();
  if (event.priority == LOG_CRIT) EventCounter(state, EventCounter::Of::alarms).add();
  std::string line = log_line(event, {{"vm", vm.name}, {"uuid", vm.uuid.text()}});
  log(event.priority, line + log_fields(more));
}

void World::log_event(const Event& event, std::initializer_list<LogField> fields) const {
  if (event.priority == LOG_CRIT) EventCounter(state, EventCounter::Of::alarms).add();
  log(event.priority, log_line(event, fields));
}

Result<World> real_world(conf::Settings settings) {
  auto state = StateDirectory::open(settings.paths.state);
  if (!state) return fail(std::move(state).error());
  auto mount = settings.dlmfs.mount;
  auto state_directory = settings.paths.state;
  bool require_global = settings.guard.require_global_heartbeat;
  Deadline deadline(settings.guard.acquire_timeout);
  return World{
      .settings = std::move(settings),
      .state = std::move(*state),
      .open_checked_mount = [mount, require_global]() -> Result<std::unique_ptr<dlmfs::Mount>> {
        auto reached = reach(mount);
        if (!reached) return reached;
        if (auto sound = dlmfs::check_cluster({}, require_global); !sound) {
          return fail(std::move(sound).error());
        }
        return reached;
      },
      .open_any_mount = [mount] { return reach(mount); },
      .runner = std::make_unique<ForkingCallRunner>(),
      .keeper = std::make_unique<SocketKeeperClient>(state_directory),
      .log = SystemLog(state_directory),
      .pause = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); },
      .host = host_name(),
      .caller = {::getppid(), thread_that_forked_this, ::getppid},
      .deadline = deadline,
  };
}

QemuSeen living_qemu(const Vm& vm, const std::optional<Record>& record,
                     std::chrono::milliseconds patience, const std::filesystem::path& processes) {
  if (!record || !record->qemu) return find_qemu(vm.uuid, processes);
  switch (liveness(*record->qemu, patience, processes)) {
    case Liveness::alive:
      return {.liveness = Liveness::alive, .process = record->qemu};
    case Liveness::dead:
      // A daemon that was killed may have started another one since.
      return find_qemu(vm.uuid, processes);
    case Liveness::unknown:
      break;
  }
  auto other = find_qemu(vm.uuid, processes);
  if (other.liveness != Liveness::dead) return other;
  return {.liveness = Liveness::unknown,
          .why = fmt::format("process {}, its QEMU once, can't be examined", record->qemu->pid)};
}

}  // namespace guard
