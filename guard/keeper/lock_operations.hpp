#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <vector>

#include "dlmfs/dlm_debugfs.hpp"
#include "guard/ipc/keeper_client.hpp"
#include "guard/keeper/fd_store.hpp"
#include "guard/keeper/hypervisor.hpp"
#include "guard/lock/acquire_result.hpp"

/// What the keeper does in the cluster, beside its loop, since any of it may sleep. A step that
/// changes what a host holds excludes the VM's hooks by its flock, and does not wait for it: a hook
/// that is at work may be waiting for the keeper.
namespace guard::lock_operations {

/// What `hand_over` came to.
struct HandOverResult {
  enum class Kind {
    granted,
    request_queued,  ///< another host has queued a request for the lock itself
    failed,          ///< `why`
  };
  Kind kind;
  std::string why = {};
};

/// What `regain` came to.
struct RegainResult {
  enum class Kind {
    exclusive,
    still_shared,    ///< another host still has PR
    request_queued,  ///< another host has queued a request for the lock itself
    failed,          ///< `why`: above all, a hook is running for the VM
  };
  Kind kind;
  std::string why = {};
};

/// What `share_for_late_request` came to.
enum class LateShareResult {
  shared,
  hook_busy,  ///< a hook is running for the VM; to be tried again
  refused,    ///< another host waits for EX, or the lock could not be lowered
};

/// What `probe_other_holder` came to.
struct ProbeResult {
  enum class Kind {
    probed,           ///< `found`: what the bell said, if it could be asked
    still_migrating,  ///< the other host's libvirt still runs the migration
    no_answer,        ///< the other host does not say whether the VM runs there
  };
  Kind kind;
  std::optional<Holder> found = std::nullopt;
};

using JobBegin = std::chrono::sys_time<std::chrono::milliseconds>;

/// Writes the bell again after it has answered. What was in it: a visitor's card, perhaps.
[[nodiscard]] Result<std::optional<Holder>> arm_bell(const Context& context, const Vm& vm,
                                                     Pins& pins);

/// Hands over: remembers to which migration, removes the lock from the store, lowers the pin so
/// that another host can have PR, and answers the bell. An error: nothing is handed over, and the
/// bell has not been answered. EBUSY: another host has queued on the lock.
[[nodiscard]] HandOverResult hand_over(const Context& context, const Vm& vm, JobBegin job_began,
                                       std::chrono::milliseconds job_age, Pins& pins,
                                       FdStore& fd_store);

/// The number by which others know a migration.
[[nodiscard]] unsigned number_of(JobBegin began);

/// Whether libvirt's outgoing migration that began then is the one that was granted a hand-over.
/// libvirt tells its age: the longer the answer took, the less is known of when it began.
[[nodiscard]] bool same_job(const std::optional<JobBegin>& granted, JobBegin began,
                            std::chrono::milliseconds took);

/// The migration is over, and the VM is here: EX again, if the other host has let go.
/// EWOULDBLOCK: a hook is at work. ETXTBSY: another host still shares the lock. EBUSY: another
/// host has queued on the lock.
[[nodiscard]] RegainResult regain(const Context& context, const Vm& vm, Pins& pins);

/// Another host shares the lock and does not let go: asks for its name, and leaves this host's.
/// EAGAIN: to its libvirt the migration is not over yet. EINPROGRESS, unless `no_answer_counts`: it
/// does not say whether the VM runs there, since its libvirt has not answered, or since it is
/// giving the lock back.
[[nodiscard]] ProbeResult probe_other_holder(const Context& context, const Vm& vm,
                                             bool no_answer_counts, Pins& pins);

/// After `regain`, the target's request for PR has come too late, and would wait for as long as the
/// VM runs: lets it have PR, since whoever waits there has given up, or will.
[[nodiscard]] LateShareResult share_for_late_request(const Context& context, const Vm& vm,
                                                     Pins& pins, FdStore& fd_store);

/// The hosts whose requests wait for the lock itself, as far as they can be made out.
[[nodiscard]] std::vector<dlmfs::QueuedRequest> queued(const Context& context, const Vm& vm);

/// Takes, or opens again, the lock of a VM that runs here; `kept` if it was taken before. Nothing:
/// a hook is at work, or it does not run after all, or there was nothing to do. `qemu_not_seen`:
/// nothing was taken, since no process of it can be seen, and libvirt has no pid file of one.
[[nodiscard]] std::optional<AcquireResult> adopt(const Context& context, const Vm& vm, Pins& pins);

/// Opens again what a record says this host holds, unless the service manager has kept it open.
/// Nothing: a hook is at work, or there is no such record any more.
[[nodiscard]] std::optional<AcquireResult> pick_up(const Context& context, const Vm& vm,
                                                   Pins& pins);

/// What a host had of a VM at some moment.
struct Trace {
  std::optional<Record> record;
  std::optional<StateDirectory::Stamp> stamp;
  bool file = false;  ///< a lock's or a bell's
};
/// Removes what hooks have left behind in the state directory: announcements that led to nothing,
/// and flocks of VMs that have no record.
void sweep(const Context& context);

/// All of this host's traces. An error: dlmfs can't be read.
[[nodiscard]] Result<std::map<dlmfs::Uuid, Trace>> traces(const Context& context);

/// Gives back a lock that no VM needs any more: the record says so, or it is still the one of
/// `trace`, which was taken before libvirt said that the VM is not active. Nothing: a hook is at
/// work, or the VM has been started meanwhile.
[[nodiscard]] std::optional<UnlockResult> unlock(const Context& context, const Vm& vm,
                                                 const std::optional<Trace>& trace, Pins& pins,
                                                 FdStore& fd_store);

}  // namespace guard::lock_operations
