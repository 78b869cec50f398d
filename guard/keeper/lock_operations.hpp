#pragma once

#include <atomic>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "dlmfs/dlm_debugfs.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "guard/keeper/fd_store.hpp"
#include "guard/keeper/hypervisor.hpp"
#include "guard/lock/acquire_result.hpp"

/// The keeper's operations on the cluster. They may sleep unkillably in dlmfs while the cluster
/// evicts a host, so they run on worker threads (WorkerPool::cluster). An operation that changes
/// what this host holds acquires the VM's flock, which excludes the VM's hooks. It does not wait
/// for the flock: the hook that holds it may be waiting for the keeper.
namespace guard::lock_operations {

/// The result of `hand_over`.
struct HandOverResult {
  enum class Kind {
    granted,
    request_queued,  ///< another host has queued a request for the lock itself
    failed,          ///< `why`
  };
  Kind kind;
  std::string why = {};
};

/// The result of `regain`.
struct RegainResult {
  enum class Kind {
    exclusive,
    still_shared,    ///< another host still holds PR
    request_queued,  ///< another host has queued a request for the lock itself
    failed,          ///< `why`; for example, another process works on the VM
  };
  Kind kind;
  std::string why = {};
};

/// The result of `share_for_late_request`.
enum class LateShareResult {
  shared,
  hook_busy,  ///< a hook or a command works on the VM, or the VM is released; try again
  refused,    ///< another host has queued a request for EX, or the lock could not be lowered
};

/// The result of `probe_other_holder`.
struct ProbeResult {
  enum class Kind {
    probed,           ///< `found`: the content of the bell, if it was read
    still_migrating,  ///< libvirt on the other host still runs the migration
    no_answer,        ///< the other host did not report whether the VM runs there
  };
  Kind kind;
  std::optional<Holder> found = std::nullopt;
};

using JobBegin = std::chrono::sys_time<std::chrono::milliseconds>;

/// Acquires the bell again after it has answered, and writes the default content. Returns the
/// earlier content, for example another host's reply. Fails like Bell::announce, and if the cluster
/// is down.
[[nodiscard]] Result<std::optional<Holder>> arm_bell(const Context& context, const Vm& vm,
                                                     Pins& pins);

/// Hands the lock over: writes the migration into the record, removes the lock from the store,
/// lowers the pin to PR so that another host can have PR, and answers the bell. If it fails,
/// nothing is handed over, and the bell is not answered.
[[nodiscard]] HandOverResult hand_over(const Context& context, const Vm& vm, JobBegin job_began,
                                       std::chrono::milliseconds job_age, Pins& pins,
                                       FdStore& fd_store);

/// Returns the number that identifies a migration to other hosts.
[[nodiscard]] unsigned number_of(JobBegin began);

/// Returns true if the outgoing migration that began at `began` is the one that was granted a
/// hand-over. libvirt reports only its age. So the longer the queries took (`took`), the less
/// exact are both times. The tolerance is 500 ms plus `took`.
[[nodiscard]] bool same_job(const std::optional<JobBegin>& granted, JobBegin began,
                            std::chrono::milliseconds took);

/// Acquires EX again after a migration that left the VM here.
[[nodiscard]] RegainResult regain(const Context& context, const Vm& vm, Pins& pins);

/// Asks the host that still shares the lock for its name, and leaves the name of this host in the
/// reply slot. Does not do so while the bell is open here: then the other host writes its name
/// there. Returns `no_answer` if libvirt there has not answered or that host is just unlocking,
/// unless `no_answer_counts`.
[[nodiscard]] ProbeResult probe_other_holder(const Context& context, const Vm& vm,
                                             bool no_answer_counts, Pins& pins);

/// Lowers the lock to PR for a request of the target that came only after `regain`, and would wait
/// for as long as the VM runs. Grants it because the process that waits there has given up, or will
/// give up.
[[nodiscard]] LateShareResult share_for_late_request(const Context& context, const Vm& vm,
                                                     Pins& pins, FdStore& fd_store);

/// Returns the requests that other hosts have queued for the lock itself, as far as they can be
/// found.
[[nodiscard]] std::vector<dlmfs::QueuedRequest> queued(const Context& context, const Vm& vm);

/// Acquires, or opens again, the lock of a VM that runs here. `kept` is true if there was a record
/// before. Returns nullopt if another process has its flock, if its QEMU is dead, or if there is
/// nothing to do. Returns `last_run`, and acquires nothing, if no QEMU of it can be seen and
/// libvirt has no pid file of one.
///
/// `hook_was_faster`: set by the loop once a hook has passed the VM's lock and bell to the keeper,
/// which the hook does with the VM's flock. To open them once more would sleep for ever if another
/// host has queued a request for one of them, because the keeper does not close what it got.
[[nodiscard]] std::optional<AcquireResult> adopt(const Context& context, const Vm& vm, Pins& pins,
                                                 const std::atomic<bool>& hook_was_faster);

/// Opens the lock of a record again, unless the file descriptor store has kept it open. Returns
/// nullopt if another process has its flock, or if there is no such record any more.
/// `hook_was_faster`: see `adopt`.
[[nodiscard]] std::optional<AcquireResult> pick_up(const Context& context, const Vm& vm, Pins& pins,
                                                   const std::atomic<bool>& hook_was_faster);

/// What this host knows of a VM's lock at one moment.
struct LockTrace {
  std::optional<Record> record;
  std::optional<StateDirectory::Stamp> stamp;
  /// Only its bell has a file: a process of this host asks for the lock's holder, or asks all hosts
  /// (see wait_for_peers), or was killed while it asked.
  bool only_bell = false;
};
/// Removes from the state directory what hooks have left over: expired announcements, and flock
/// files of VMs without a record.
void sweep(const Context& context);

/// Returns what this host knows of all locks. Fails if the cluster is down, or if dlmfs or the
/// records cannot be read.
[[nodiscard]] Result<std::map<dlmfs::Uuid, LockTrace>> lock_traces(const Context& context);

/// Removes bells that killed processes of this host have left: the holder cannot write its bell
/// beside one. Leaves the bell of a VM whose flock another process has, because the unlink could
/// sleep then and hold the directory.
void remove_left_bells(const Context& context, const std::set<dlmfs::Uuid>& uuids);

/// Unlocks a lock that no VM needs any more: its record says that the VM is released, or the record
/// is unchanged since `trace`, which was read before libvirt reported that the VM is not active.
/// Returns nullopt if another process has its flock, or if the VM has been started meanwhile.
[[nodiscard]] std::optional<UnlockResult> unlock(const Context& context, const Vm& vm,
                                                 const std::optional<LockTrace>& trace, Pins& pins,
                                                 FdStore& fd_store);

}  // namespace guard::lock_operations
