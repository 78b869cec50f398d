#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "guard/keeper/hypervisor.hpp"
#include "guard/keeper/loop.hpp"
#include "guard/keeper/steps.hpp"
#include "guard/world.hpp"

namespace guard {

/// Keeps this host's locks open, answers their bells, consents to hand-overs, and compares them
/// with the VMs that libvirt says run here. It never decides whether a VM may start, and nothing is
/// lost when it dies: the locks are the kernel's.
///
/// All of it runs in the loop's thread, which never sleeps: what may sleep is done beside it, for
/// each VM one thing at a time.
class Keeper {
 public:
  /// In the state directory: changed whenever a comparison has been made.
  static constexpr const char* reconciled_file = "keeper.reconciled";

  Keeper(const World& world, Hypervisor& hypervisor, Loop& loop)
      : world_(world), hypervisor_(hypervisor), loop_(loop) {}

  /// Picks up what the records say this host holds, and compares for the first time. Returns how
  /// many records there are.
  std::size_t begin();

  // What the hooks ask for.

  void keep(const Vm& vm, Pins pins);
  /// `closed`: nothing of the VM is open here any more. At once unless it is being worked on.
  void close(const Vm& vm, Loop::Callback closed);
  [[nodiscard]] std::optional<dlmfs::Level> level(const Vm& vm) const;
  /// Every lock that is open here.
  [[nodiscard]] std::vector<KeeperLine::Kept> kept();
  /// The VM's lock is to go back, and its hook could not give it back.
  void look(const Vm& vm);
  /// Compares with libvirt now.
  void reconcile();

  /// How many locks are kept.
  [[nodiscard]] std::size_t count() const;
  /// One line for an operator.
  [[nodiscard]] std::string status() const;

 private:
  struct Kept {
    Vm vm;
    Pins pins = {};
    // Before the pins they watch: destroyed first, since declared later.
    Loop::Handle lock_watch = nullptr, bell_watch = nullptr;
    Loop::Handle shared_timer = nullptr, bell_timer = nullptr;
    bool busy = false;                                        ///< a step has the pins
    std::optional<dlmfs::Level> level_before = std::nullopt;  ///< that step
    bool rang = false;                                        ///< meanwhile
    bool asking = false;  ///< libvirt, before the bell is answered
    std::vector<Loop::Callback> closing = {};
    std::chrono::milliseconds shared_pace{1000};  ///< between two looks at the migration
    int turns = 0;  ///< hand-overs, and their ends: what libvirt said before counts no more
    std::optional<Loop::Clock::time_point> still_shared_since = std::nullopt;
    bool queued_told = false;
    std::string shared_with = {};  ///< the host that has taken the last hand-over
    int latecomers = 0;  ///< hosts that have taken a hand-over, and may have yet to ask for PR
    Loop::Handle latecomer_timer = nullptr;
    std::optional<std::pair<std::chrono::sys_seconds, How>> taken = std::nullopt;  ///< once read
  };

  /// A process that a lock waits for.
  struct Ending {
    UniqueFd pidfd;
    Loop::Handle watch;
  };

  template <typename R>
  void work_on(Kept& kept, std::function<R(Pins&)> step, std::function<void(Kept&, R)> done);
  /// For what is to be done for many VMs: a few at a time, so that whoever asks for one of them
  /// meanwhile does not come last.
  void in_turn(Loop::Callback work);
  void go_on_in_turn();
  Kept* find(const dlmfs::Uuid& uuid);
  Kept& made(const Vm& vm);
  void forget(const dlmfs::Uuid& uuid);
  void watch(Kept& kept);
  static void unwatch(Kept& kept);
  void finish(Kept& kept, Pins pins);

  /// What libvirt said of a VM, and when.
  struct Heard {
    VmState state;
    steps::JobBegin at;                 ///< when the answer came
    std::chrono::milliseconds took{0};  ///< and how long after the question

    [[nodiscard]] steps::JobBegin job_began() const { return at - state.job_age; }
  };
  [[nodiscard]] std::optional<Heard> ask_libvirt(const dlmfs::Uuid& uuid);

  void rang(const dlmfs::Uuid& uuid);
  void answer(Kept& kept, const std::optional<Heard>& heard);
  void tell(Kept& kept, Holder::State state, Holder::Job job = {});
  void hand_over(Kept& kept, steps::JobBegin job_began, std::chrono::milliseconds job_age);
  void arm_bell(Kept& kept);
  void read_card(Kept& kept, const Holder& card);

  void queued(const dlmfs::Uuid& uuid);
  void tell_queued(const Vm& vm);
  void let_latecomer_by(Kept& kept);

  void follow_migration(Kept& kept);
  void look_at_migration(const dlmfs::Uuid& uuid);
  [[nodiscard]] bool migration_over(const Kept& kept, const Heard& heard) const;
  void regain(Kept& kept);
  void still_shared(Kept& kept);
  void confront(Kept& kept);

  void compare(const std::map<dlmfs::Uuid, steps::Trace>& traces, const std::vector<Vm>& active);
  void adopt(const Vm& vm);
  void pick_up(const Vm& vm);
  void taken_back(Kept& kept, const std::optional<Answer>& answer, std::string_view event);
  void give_back(const Vm& vm, const std::optional<steps::Trace>& trace);
  void given_back(const Vm& vm, const std::optional<Answer>& answer);
  void wait_for(const Vm& vm, const Process& process);
  void retry_give_back(const Vm& vm);

  void conflict(const Vm& vm, const std::optional<Holder>& holder);
  void reached(std::string& trouble, const std::string& why, std::string_view what);

  const World& world_;
  Hypervisor& hypervisor_;
  Loop& loop_;
  std::map<dlmfs::Uuid, std::unique_ptr<Kept>> kept_;
  std::map<dlmfs::Uuid, Ending> endings_;
  std::map<dlmfs::Uuid, Loop::Handle> retries_;
  std::set<dlmfs::Uuid> conflicts_;  ///< told, and not over
  int at_work_ = 0;                  ///< steps begun and not done
  std::deque<Loop::Callback> waiting_;
  Loop::Handle next_reconciliation_;
  bool reconciling_ = false;
  std::string libvirt_trouble_, cluster_trouble_;  ///< why the last comparison could not be made
};

}  // namespace guard
