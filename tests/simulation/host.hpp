#pragma once

#include <string>

#include "hook/handlers.hpp"
#include "tests/guard/fake_host.hpp"
#include "tests/simulation/process.hpp"
#include "tests/simulation/qemu_processes.hpp"

namespace guard::simulation {

class Host;

/// A migration, as libvirt on its source sees it.
struct Migration {
  using Time = std::chrono::sys_time<milliseconds>;
  Time began;
  std::optional<Time> ended = std::nullopt;
  bool shared = false;  ///< a host got the lock for it
};

/// What the hosts have in common.
struct Environment {
  Scheduler scheduler;
  dlmfs::StandInCluster cluster;
  const Vm vm;
  std::vector<Host*> hosts = {};
  std::vector<Migration> migrations = {};  ///< only the last one may still run
  /// Whether the hook can read libvirt's status files, whose format is private to libvirt.
  bool status_files = true;
  std::map<std::string, int> events = {};  ///< how often each was logged
  std::string history = {};                ///< what was done and logged, for a message
  std::string violation = {};              ///< the first one that was seen during a step

  /// Adds a line to the history.
  void note(const std::string& what, int node);
  /// A text, and what happens soon after a host has logged it.
  std::string awaited = {};
  std::function<void(Host&)> after_awaited = {};

  /// Takes note of a violation that only the code that runs now can see.
  void violated(const std::string& what) {
    if (violation.empty()) violation = what;
  }
};

/// How a VM starts.
enum class Start {
  cold,
  restored,  ///< from a saved state; libvirt calls `restore`, and QEMU has -incoming
  reverted,  ///< to a snapshot with the memory; libvirt does not call `restore`
};

/// One host: libvirt's daemon, which is simulated, and the guard's hook and keeper, which are not.
/// The one VM may run here.
class Host final : private Hypervisor {
 public:
  Host(Environment& environment, int number);
  ~Host() override;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // libvirt's operations. Each runs in a fiber of its own, and does nothing where libvirt would
  // refuse it.
  void start(Start how);
  void stop();
  void migrate_to(Host& target);
  /// A migration that libvirt announces on the target and then refuses there. The source learns it
  /// some seconds later.
  void announce_to(Host& target);
  /// A migration that libvirt on the source gives up before the target begins to prepare it.
  void abandon_migration_to(Host& target);
  /// QEMU dies; libvirt finds out.
  void lose_qemu();

  // Faults.
  void kill_hook();
  void kill_child();
  void kill_keeper();
  void kill_libvirtd();
  void lose_power();
  /// The hook's child does not run for this time.
  void stop_child(milliseconds time);
  /// `virsh domjobabort`
  void abort_migration();
  /// The next QEMU that libvirt ends lives on for some seconds, in an uninterruptible sleep.
  void let_qemu_hang() { qemu_hangs_ = true; }
  /// /proc hides processes, as with its mount option hidepid.
  void hide_processes();
  /// There is no debugfs.
  void hide_requests();
  /// A process of this host opens the lock's file for writing, as `> file` does.
  void open_lock_file();

  // What ends faults.
  void start_keeper();
  void start_libvirtd();
  void boot();
  void show_all();

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool up() const { return up_; }
  [[nodiscard]] bool vm_runs() const { return qemu_ == Qemu::runs; }
  [[nodiscard]] bool busy() const { return busy_; }
  /// Returns the number of QEMU processes of the VM, those included that libvirt has ended.
  [[nodiscard]] std::size_t qemus() const { return outlived_.size() + (has_qemu() ? 1 : 0); }
  /// Returns how many of them have run the VM's CPUs and may still write to its disks.
  [[nodiscard]] std::size_t running_qemus() const;
  /// Returns true if a process waits for the lock's file.
  [[nodiscard]] bool has_waiter() const { return waits_; }
  /// Returns true if this host has granted a hand-over since it got the lock.
  [[nodiscard]] bool granted_hand_over() const { return granted_hand_over_; }
  /// Returns what this host has of the VM: its lock, bell, record and other files.
  [[nodiscard]] std::string traces();
  /// Returns what is missing of the protection of a VM that runs here, or an empty text.
  [[nodiscard]] std::string missing();

  /// Takes note of the time at which this host got PR. Call it after each step.
  void observe_level(std::optional<dlmfs::Level> level);

  /// Destroys keepers that were killed and whose threads have woken up.
  void bury();

 private:
  enum class Qemu { none, incoming, paused, runs, stopped };
  enum class Job { none, outgoing, incoming };
  using Handler = Verdict (*)(const hook::HookContext&, const Vm&);

  struct KeeperProcess {
    std::vector<Scheduler::Id> fibers;
    std::unique_ptr<FiberLoop> loop;
    std::unique_ptr<Keeper> keeper;
  };
  class Client;

  Result<VmState> state_of(const dlmfs::Uuid& uuid) override;
  Result<std::vector<Vm>> active() override;
  Result<std::vector<Vm>> defined() override { return active(); }
  [[nodiscard]] bool answers();

  void make_machine();
  [[nodiscard]] hook::HookContext hook_context();
  Result<std::unique_ptr<dlmfs::Mount>> open_mount();
  [[nodiscard]] SleepingMount mount(bool may_wait);
  void on_event(const std::string& line);
  void check_share(const Host& source);
  [[nodiscard]] static Migration::Time wall_clock() {
    return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
  }
  [[nodiscard]] bool flock_is_free() const;
  void operate(std::function<void()> operation);
  [[nodiscard]] bool call(Handler handler, bool denies);
  [[nodiscard]] bool hook_runs();

  [[nodiscard]] bool has_qemu() const { return qemu_ != Qemu::none; }
  void start_qemu(Qemu qemu, const std::string& job);
  void end_qemu();
  void write_job(const std::string& job, const std::string& phase = "");
  void end();
  void begin_start();
  void announce(int migration);
  [[nodiscard]] bool prepare_incoming(int migration);
  void wait_for_request();
  [[nodiscard]] bool can_migrate_to(const Host& target) const;
  void begin_job(Host& target);
  void end_job();
  void leave(Host& target);
  void end_on_target();
  void reconnect_vm();
  void end_libvirtd();
  void kill_fibers(std::vector<Scheduler::Id>& fibers);

  Environment& environment_;
  int number_;
  std::unique_ptr<FakeHost> machine_;
  std::unique_ptr<QemuProcesses> processes_;
  std::vector<std::unique_ptr<FakeHost>>
      former_machines_;  ///< whose processes may not have ended yet
  SleepingMount::Asleep asleep_;
  FdStoreStandIn fd_store_;
  std::unique_ptr<KeeperProcess> keeper_;
  std::vector<std::unique_ptr<KeeperProcess>> killed_keepers_;
  std::vector<Scheduler::Id> operations_, hooks_, children_, others_;
  bool up_ = true, waits_ = false, qemu_hangs_ = false, granted_hand_over_ = false;

  // libvirt's daemon
  bool libvirtd_ = true;
  pid_t daemon_ = 4711;
  pid_t thread_ = 1;  ///< that runs the operation
  /// The hooks that the daemon waits for, or has waited for, and their results.
  std::vector<std::pair<Scheduler::Id, std::shared_ptr<std::optional<bool>>>> calls_;
  bool active_ = false, busy_ = false;
  Job job_ = Job::none;
  int migration_ = 0;   ///< number of the last one from here
  int announced_ = -1;  ///< number of the last one that libvirt announced here
  Migration::Time announced_at_;
  Host* partner_ = nullptr;  ///< of a migration

  // QEMU
  Qemu qemu_ = Qemu::none;
  pid_t pid_ = 0;
  std::optional<Migration::Time> shared_since_;  ///< while it holds PR
  bool races_ = false;                           ///< see Host::start
  std::map<pid_t, bool> outlived_;  ///< processes that libvirt has ended; whether their CPUs ran
};

}  // namespace guard::simulation
