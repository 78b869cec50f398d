#pragma once

#include <string>

#include "hook/handlers.hpp"
#include "tests/guard/fake_host.hpp"
#include "tests/guard/fake_proc.hpp"
#include "tests/simulation/process.hpp"

namespace guard::simulation {

/// What the hosts have in common.
struct Environment {
  Scheduler scheduler;
  dlmfs::StandInCluster cluster;
  const Vm vm;
  int jobs = 0;                            ///< migrations begun
  std::map<std::string, int> events = {};  ///< how often each was logged
  std::string history = {};                ///< what was done and logged, for a message

  /// Adds a line to the history.
  void note(const std::string& what, int node);
};

/// The files of a machine. Making and removing directories takes long, so a later machine uses
/// those of an earlier one, without what was in them.
struct MachineFiles {
  TemporaryDirectory host;
  FakeProc processes;

  [[nodiscard]] static std::shared_ptr<MachineFiles> take();
  [[nodiscard]] std::filesystem::path own_process() const {
    return processes.path() / std::to_string(::getpid());
  }

 private:
  void empty() const;
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
  void start();
  void stop();
  void migrate_to(Host& target);
  /// QEMU dies; libvirt finds out.
  void lose_qemu();

  // Faults.
  void kill_hook();
  void kill_child();
  void kill_keeper();
  void kill_libvirtd();
  void lose_power();

  // What ends faults.
  void start_keeper();
  void start_libvirtd();
  void boot();

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool up() const { return up_; }
  [[nodiscard]] bool has_qemu() const { return qemu_ != Qemu::none; }
  [[nodiscard]] bool vm_runs() const { return qemu_ == Qemu::runs; }
  [[nodiscard]] bool busy() const { return busy_; }
  /// Returns what this host has of the VM: its lock, bell, record and other files.
  [[nodiscard]] std::string traces();

  /// Destroys keepers that were killed and whose threads have woken up.
  void bury();

 private:
  enum class Qemu { none, incoming, runs, stopped };
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

  void make_machine();
  Result<std::unique_ptr<dlmfs::Mount>> open_mount();
  void operate(std::function<void()> operation);
  [[nodiscard]] bool call(Handler handler, bool denies);
  [[nodiscard]] bool flock_is_free() const;
  void set_qemu(Qemu qemu);
  void end();
  void reconnect_vm();
  void end_libvirtd();
  void kill_fibers(std::vector<Scheduler::Id>& fibers);

  Environment& environment_;
  int number_;
  std::shared_ptr<MachineFiles> files_;
  std::unique_ptr<FakeHost> machine_;
  std::vector<std::unique_ptr<FakeHost>>
      former_machines_;  ///< whose processes may not have ended yet
  SleepingMount::Asleep asleep_;
  FdStoreStandIn fd_store_;
  std::unique_ptr<KeeperProcess> keeper_;
  std::vector<std::unique_ptr<KeeperProcess>> killed_keepers_;
  std::vector<Scheduler::Id> operations_, hooks_, children_;

  bool up_ = true, libvirtd_ = true;
  int thread_ = 0;
  bool active_ = false, busy_ = false;
  Qemu qemu_ = Qemu::none;
  Job job_ = Job::none;
  std::chrono::steady_clock::time_point job_began_;
  int start_time_ = 1;
  Host* partner_ = nullptr;  ///< of a migration
};

}  // namespace guard::simulation
