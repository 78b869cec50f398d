#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "guard/keeper/hand_overs.hpp"

namespace guard {

/// Compares the locks this host has with the VMs that libvirt says run here: takes what is missing,
/// opens again what is not open, and gives back what no VM needs any more, once its QEMU is dead.
class Reconciler {
 public:
  /// In the state directory: changed whenever a comparison has been made.
  static constexpr const char* stamp_file = "keeper.reconciled";

  Reconciler(const Context& context, Hypervisor& hypervisor, Loop& loop, KeptLocks& kept_locks,
             Conflicts& conflicts, HandOvers& hand_overs)
      : context_(context),
        hypervisor_(hypervisor),
        loop_(loop),
        locks_(kept_locks),
        conflicts_(conflicts),
        hand_overs_(hand_overs) {}

  /// Called before each comparison, after libvirt has answered: what was set before a VM started is
  /// known by then.
  void before_each(Loop::Callback call) { before_each_ = std::move(call); }
  /// Picks up what the records say this host holds, and compares for the first time. Returns how
  /// many records there are.
  std::size_t begin();
  /// Compares now, and from then on ever again; does nothing while it is being done.
  void run();
  /// Gives the VM's lock back, if its record says that it is to go.
  void look(const Vm& vm);
  /// Why the last comparison could not be made, each after a "; "; empty: it was.
  [[nodiscard]] std::string troubles() const;

 private:
  /// A process that a lock waits for.
  struct Ending {
    UniqueFd pidfd;
    Loop::Handle watch;
  };

  void compare(const std::map<dlmfs::Uuid, lock_operations::Trace>& traces,
               const std::vector<Vm>& active);
  /// A step that takes, or opens again, the lock of a VM of this host's.
  using TakeBack = std::optional<AcquireResult> (*)(const Context&, const Vm&, Pins&);
  void take_back(const Vm& vm, TakeBack step, const Event& event);
  void taken_back(KeptLock& kept, const std::optional<AcquireResult>& result, const Event& event);
  void unlock(const Vm& vm, const std::optional<lock_operations::Trace>& trace);
  void unlocked(const Vm& vm, const std::optional<UnlockResult>& result);
  void wait_for_last_run(const Vm& vm, const LastRun& last_run);
  void log_not_seen(const Vm& vm, const std::string& why, std::string_view lock);
  void wait_for(const Vm& vm, const Process& process);
  void retry_unlock(const Vm& vm);
  void reached(std::string& trouble, const std::string& why, const Event& lost, const Event& back);

  const Context& context_;
  Hypervisor& hypervisor_;
  Loop& loop_;
  KeptLocks& locks_;
  Conflicts& conflicts_;
  HandOvers& hand_overs_;
  std::map<dlmfs::Uuid, Ending> endings_;
  std::map<dlmfs::Uuid, Loop::Handle> retries_;
  std::set<dlmfs::Uuid> not_seen_;   ///< of these the log has told that no process can be seen
  std::set<dlmfs::Uuid> in_flight_;  ///< VMs whose I/O outlives their QEMU
  Loop::Callback before_each_ = [] {};
  Loop::Handle next_;
  bool running_ = false;
  std::string libvirt_trouble_, cluster_trouble_;
};

}  // namespace guard
