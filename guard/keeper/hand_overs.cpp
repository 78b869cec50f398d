#include "guard/keeper/hand_overs.hpp"

#include <algorithm>

#include "guard/host/libvirt_job.hpp"
#include "guard/lock/denial.hpp"
#include "guard/system/time_text.hpp"

namespace guard {
namespace {

using dlmfs::Level;
using dlmfs::Uuid;
using std::chrono::milliseconds;

constexpr milliseconds soon{1000};
constexpr milliseconds often{200};

lock_operations::JobBegin wall_clock() {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

Holder::State refusal_state(const lock_operations::HandOverResult& result) {
  bool blocked = result.kind == lock_operations::HandOverResult::Kind::request_queued;
  return blocked ? Holder::State::blocked : Holder::State::hand_over_failed;
}

}  // namespace

HandOvers::HandOvers(const Context& context, Hypervisor& hypervisor, Loop& loop,
                     KeptLocks& kept_locks, Conflicts& conflicts)
    : context_(context),
      hypervisor_(hypervisor),
      loop_(loop),
      locks_(kept_locks),
      conflicts_(conflicts) {
  locks_.on({[this](const Uuid& uuid) { on_lock_requested(uuid); },
             [this](const Uuid& uuid) { bell_requested(uuid); }});
}

// The bell

/// Queries libvirt. Call it on a worker thread only, because it blocks.
std::optional<HandOvers::LibvirtReply> HandOvers::ask_libvirt(const Uuid& uuid) {
  auto asked_at = wall_clock();
  auto state = hypervisor_.state_of(uuid);
  if (!state) return std::nullopt;
  auto now = wall_clock();
  return LibvirtReply{*state, now, now - asked_at};
}

/// Each migration occupies a worker of libvirt's daemon, and so does each virDomainGetJobStats
/// (max_workers in its configuration: 20). So the query for a new migration may wait until another
/// migration ends, or for ever while two hosts migrate VMs to each other. The target prepares while
/// its source is in the phase begin3, in client-driven and in peer-to-peer migrations
/// (qemuMigrationSrcBeginPhase in libvirt's src/qemu/qemu_migration.c). In a later phase, it is the
/// migration for which the lock is shared. The file is in a tmpfs, so reading it does not block.
std::optional<HandOvers::LibvirtReply> HandOvers::read_status_file(const KeptLock& kept) const {
  auto job = libvirt_job(kept.vm, context_.paths.pid_files);
  if (!job || job->name != "migration out") return std::nullopt;
  auto began = job->since;
  if (job->phase != "begin3") {
    auto record = context_.host.load_record(kept.vm);
    if (!record || !record->handed_over || kept.level() != Level::protected_read) {
      return std::nullopt;
    }
    began = *record->handed_over;
  }
  auto now = wall_clock();
  VmState state{true, VmState::Job::outgoing_migration, std::max(now - began, milliseconds(0))};
  return LibvirtReply{state, now};
}

void HandOvers::bell_requested(const Uuid& uuid) {
  KeptLock* kept = locks_.find(uuid);
  if (kept == nullptr) return;
  if (kept->busy) {
    kept->bell_requested = true;
    // A hook has passed this bell during the operation, which would sleep for ever if it opened the
    // bell now. Its text names this host.
    kept->bell_watch.reset();
    kept->pins.bell.reset();
    return;
  }
  if (!kept->pins.bell) return arm_missing_bell(*kept);
  if (kept->asking_libvirt) return;
  // The request does not show who asks: a host that is denied a start, or the target of a
  // migration.
  if (kept->libvirt_busy) {  // for an earlier request
    if (auto reply = read_status_file(*kept)) return answer_bell(*kept, reply);
  }
  kept->asking_libvirt = true;
  struct Asked {
    bool answered = false;
    std::optional<LibvirtReply> reply;
    Loop::Handle deadline;
  };
  constexpr milliseconds patience{2000};
  auto asked = std::make_shared<Asked>();
  auto answer_once = [this, asked, uuid, generation = kept->migration_generation] {
    if (std::exchange(asked->answered, true)) return;
    asked->deadline.reset();
    KeptLock* still = locks_.find(uuid);
    if (still == nullptr) return;
    still->asking_libvirt = false;
    if (still->migration_generation != generation) return bell_requested(uuid);
    answer_bell(*still, asked->reply);
  };
  asked->deadline = loop_.after(patience, [this, asked, answer_once, uuid] {
    if (KeptLock* still = locks_.find(uuid)) asked->reply = read_status_file(*still);
    answer_once();
  });
  auto ask = [this, asked, answer_once, uuid] {
    KeptLock* still = locks_.find(uuid);
    if (asked->answered || still == nullptr) return;
    still->libvirt_busy = true;
    auto reply = std::make_shared<std::optional<LibvirtReply>>();
    loop_.run_async(
        Loop::WorkerPool::libvirt, [this, reply, uuid] { *reply = ask_libvirt(uuid); },
        [this, asked, answer_once, reply, uuid] {
          KeptLock* now = locks_.find(uuid);
          if (now != nullptr) now->libvirt_busy = false;
          asked->reply = *reply;
          answer_once();
          now = locks_.find(uuid);
          if (now == nullptr) return;
          if (auto next = std::exchange(now->next_question, nullptr)) next();
        });
  };
  // Unanswered queries for one VM occupy one thread, not one thread per request. Discard their late
  // replies: their age of the migration would be compared with an age of now.
  if (!kept->libvirt_busy) return ask();
  kept->next_question = ask;
}

void HandOvers::answer_bell(KeptLock& kept, const std::optional<LibvirtReply>& reply) {
  if (kept.busy) {
    kept.bell_requested = true;
    return;
  }
  if (!kept.pins.bell || !kept.pins.lock) return;
  if (!reply) return write_bell(kept, Holder::State::libvirt_silent);
  const VmState& state = reply->state;
  bool ended = !state.active && kept.pins.lock->level == Level::protected_read;
  if (ended) return write_bell(kept, Holder::State::still_shared);
  if (state.job != VmState::Job::outgoing_migration)
    return write_bell(kept, Holder::State::no_migration);
  if (kept.pins.lock->level == Level::exclusive) return hand_over(kept, *reply);
  auto record = context_.host.load_record(kept.vm);
  if (record && was_handed_over(kept, *record, *reply)) {
    return write_bell(kept, Holder::State::still_migrating,
                      {state.job_age, lock_operations::number_of(*record->handed_over)});
  }
  // The migration that was granted a hand-over is over, and the lock is not exclusive again yet.
  auto operation = [this, vm = kept.vm](Pins& pins) {
    return lock_operations::regain(context_, vm, pins);
  };
  using Regained = lock_operations::RegainResult;
  locks_.run_operation<Regained>(kept, operation,
                                 [this, reply = *reply](KeptLock& now, const Regained& regained) {
                                   if (!now.pins.bell) return;
                                   if (regained.kind == Regained::Kind::exclusive)
                                     return hand_over(now, reply);
                                   write_bell(now, Holder::State::still_shared);
                                 });
}

/// Calls dlmfs on the loop's thread, which is safe because nothing here asks another host: a write
/// copies the block of a lock that this host holds (fs/ocfs2/dlmfs/userdlm.c, user_dlm_write_lvb),
/// and close only queues the downconversion as work of the kernel (user_dlm_cluster_unlock).
/// Opening the mount opens its root directory alone.
void HandOvers::write_bell(KeptLock& kept, Holder::State state, Holder::Job job) {
  auto mount = context_.cluster.open_any_mount();
  auto record = context_.host.load_record(kept.vm);
  auto now = now_in_seconds();
  if (mount) {
    std::ignore = (*mount)->write_lvb(
        *kept.pins.bell,
        to_lvb({context_.cluster.host_name, record ? record->since : now, now, state, job}));
  }
  kept.bell_watch.reset();
  kept.pins.bell.reset();  // lets the host that asks read it
  arm_bell(kept);
}

void HandOvers::hand_over(KeptLock& kept, const LibvirtReply& reply) {
  ++kept.migration_generation;
  kept.handed_over_took = reply.took;
  auto job_age = reply.state.job_age;
  auto operation = [this, vm = kept.vm, job_began = reply.job_began(), job_age](Pins& pins) {
    return lock_operations::hand_over(context_, vm, job_began, job_age, pins, locks_.fd_store());
  };
  using HandedOver = lock_operations::HandOverResult;
  locks_.run_operation<HandedOver>(
      kept, operation, [this, job_age](KeptLock& now, const HandedOver& handed_over) {
        if (handed_over.kind != HandedOver::Kind::granted) {
          context_.host.log_event(events.hand_over_refused, now.vm, {{"reason", handed_over.why}});
          if (now.pins.bell) write_bell(now, refusal_state(handed_over));
          return;
        }
        context_.host.log_event(events.hand_over, now.vm,
                                {{"job_age_ms", std::to_string(job_age.count())}});
        follow_migration(now);
        arm_bell(now);
      });
}

/// Returns true if this migration was granted the last hand-over. Both times are as inexact as
/// their queries of libvirt took long.
bool HandOvers::was_handed_over(const KeptLock& kept, const Record& record,
                                const LibvirtReply& reply) {
  return lock_operations::same_job(record.handed_over, reply.job_began(),
                                   reply.took + kept.handed_over_took);
}

void HandOvers::arm_bell(KeptLock& kept) {
  auto operation = [this, vm = kept.vm](Pins& pins) {
    return lock_operations::arm_bell(context_, vm, pins);
  };
  using Found = Result<std::optional<Holder>>;
  locks_.run_operation<Found>(kept, operation, [this](KeptLock& now, const Found& found) {
    if (found) {
      if (*found) read_reply_slot(now, **found);
      return;
    }
    // A host that asks keeps the bell: it may have died. The next host that asks reads the previous
    // answer.
    now.bell_timer = loop_.after(soon, [this, uuid = now.vm.uuid] {
      KeptLock* kept_now = locks_.find(uuid);
      if (kept_now != nullptr && !kept_now->busy && !kept_now->pins.bell) arm_bell(*kept_now);
    });
  });
}

void HandOvers::arm_missing_bell(KeptLock& kept) {
  if (kept.busy || kept.pins.bell || !kept.pins.lock) return;
  // During a migration, the bell belongs to the source.
  bool exclusive = kept.pins.lock->level == Level::exclusive;
  if (!exclusive) {
    auto record = context_.host.load_record(kept.vm);
    if (!record || !record->handed_over) return;
  }
  arm_bell(kept);
}

void HandOvers::read_reply_slot(KeptLock& kept, const Holder& slot) {
  if (slot.state == Holder::State::hand_over) {
    // Only the holder writes this, so it is this host's own, even if its name was cut. No host
    // accepted the hand-over. For example, a host asked that only wanted to start the VM. No host
    // can accept it any more, so the migration may ask again.
    if (kept.level() == Level::protected_read) regain(kept);
    return;
  }
  if (slot.host == context_.cluster.host_name) return;
  if (slot.state == Holder::State::accepted) {
    kept.shared_with = slot.host;
    ++kept.late_requests;
    context_.host.log_event(events.hand_over_accepted, kept.vm, {{"to", slot.host}});
  } else if (slot.state == Holder::State::runs_here_too) {
    conflicts_.report(kept.vm, slot);
  }
}

// Requests for the lock itself

void HandOvers::on_lock_requested(const Uuid& uuid) {
  KeptLock* kept = locks_.find(uuid);
  if (kept == nullptr || kept->busy || !kept->pins.lock) return;
  if (kept->pins.lock->level == Level::protected_read) return;  // the target of a migration
  // Even if this request is logged already: it may have come before its host's reply was read.
  if (kept->late_requests > 0) {
    --kept->late_requests;
    return share_for_late_request(*kept);
  }
  if (std::exchange(kept->queued_logged, true)) return;
  log_queued(kept->vm);
}

void HandOvers::log_queued(const Vm& vm) {
  auto hosts = std::make_shared<std::string>();
  loop_.run_async(
      Loop::WorkerPool::cluster,
      [this, vm, hosts] {
        for (const auto& request : lock_operations::queued(context_, vm))
          *hosts += (hosts->empty() ? "" : ",") + request.host;
      },
      [this, vm, hosts] {
        context_.host.log_event(events.request_queued, vm,
                                {{"by", hosts->empty() ? "unknown" : *hosts}, {"lock", "stays"}});
      });
}

void HandOvers::share_for_late_request(KeptLock& kept) {
  auto operation = [this, vm = kept.vm](Pins& pins) {
    return lock_operations::share_for_late_request(context_, vm, pins, locks_.fd_store());
  };
  using Shared = lock_operations::LateShareResult;
  locks_.run_operation<Shared>(kept, operation, [this](KeptLock& now, const Shared& result) {
    switch (result) {
      case Shared::shared:
        return follow_migration(now);
      case Shared::hook_busy:
        ++now.late_requests;
        now.late_request_timer =
            loop_.after(soon, [this, uuid = now.vm.uuid] { on_lock_requested(uuid); });
        return;
      case Shared::refused:
        now.queued_logged = true;
        return log_queued(now.vm);
    }
  });
}

// Locks that are shared for a migration

void HandOvers::follow_migration(KeptLock& kept) {
  if (!kept.pins.lock || kept.pins.lock->level != Level::protected_read) return;
  kept.shared_timer = loop_.after(kept.migration_poll_interval,
                                  [this, uuid = kept.vm.uuid] { poll_migration(uuid); });
}

void HandOvers::poll_migration(const Uuid& uuid) {
  KeptLock* shared = locks_.find(uuid);
  if (shared == nullptr) return;
  auto reply = std::make_shared<std::optional<LibvirtReply>>();
  loop_.run_async(
      Loop::WorkerPool::libvirt, [this, reply, uuid] { *reply = ask_libvirt(uuid); },
      [this, reply, uuid, generation = shared->migration_generation] {
        KeptLock* kept = locks_.find(uuid);
        if (kept == nullptr) return;
        bool of_now = kept->migration_generation == generation;
        bool over = of_now && *reply && migration_over(*kept, **reply);
        kept->migration_poll_interval = over ? often : soon;
        if (over && !kept->busy) return regain(*kept);
        if (!over) kept->still_shared_since.reset();
        if (kept->busy || (kept->pins.lock && kept->pins.lock->level == Level::protected_read)) {
          kept->shared_timer =
              loop_.after(kept->migration_poll_interval, [this, uuid] { poll_migration(uuid); });
        }
      });
}

/// Returns true if the migration for which this host shares its lock is over, even if the next
/// migration has begun.
bool HandOvers::migration_over(const KeptLock& kept, const LibvirtReply& reply) const {
  if (!reply.state.active) return false;  // `release` will follow
  if (reply.state.job != VmState::Job::outgoing_migration) return true;
  auto record = context_.host.load_record(kept.vm);
  return !record || !was_handed_over(kept, *record, reply);
}

void HandOvers::regain(KeptLock& kept) {
  auto operation = [this, vm = kept.vm](Pins& pins) {
    return lock_operations::regain(context_, vm, pins);
  };
  using Regained = lock_operations::RegainResult;
  locks_.run_operation<Regained>(kept, operation, [this](KeptLock& now, const Regained& regained) {
    if (regained.kind == Regained::Kind::exclusive) {
      context_.host.log_event(events.exclusive, now.vm);
      ++now.migration_generation;
      now.still_shared_since.reset();
      conflicts_.over(now.vm.uuid);
      if (!now.pins.bell) arm_bell(now);
      return;
    }
    if (regained.kind == Regained::Kind::still_shared) on_still_shared(now);
    bool queued = regained.kind == Regained::Kind::request_queued;
    if (queued && !std::exchange(now.queued_logged, true)) {
      log_queued(now.vm);
    }
    if (!now.busy) follow_migration(now);
  });
}

/// This is normal for a short time after a migration: the other host is still ending its VM or
/// unlocking.
void HandOvers::on_still_shared(KeptLock& kept) {
  constexpr milliseconds least{5000};
  auto patience = std::max(least, context_.settings.keeper.reconcile_interval / 2);
  if (!kept.still_shared_since) kept.still_shared_since = loop_.now();
  if (loop_.now() - *kept.still_shared_since < patience) return;
  if (conflicts_.reported(kept.vm.uuid)) return;
  probe_other_holder(kept);
}

void HandOvers::probe_other_holder(KeptLock& kept) {
  constexpr milliseconds most_silence{45'000};
  bool no_answer_counts =
      kept.still_shared_since && loop_.now() - *kept.still_shared_since >= most_silence;
  auto operation = [this, vm = kept.vm, no_answer_counts](Pins& pins) {
    return lock_operations::probe_other_holder(context_, vm, no_answer_counts, pins);
  };
  using Probed = lock_operations::ProbeResult;
  locks_.run_operation<Probed>(kept, operation, [this](KeptLock& now, const Probed& probed) {
    if (probed.kind == Probed::Kind::still_migrating) {
      now.still_shared_since.reset();
      return follow_migration(now);
    }
    if (probed.kind == Probed::Kind::no_answer) return follow_migration(now);
    // If the bell is open here, the other host leaves its reply there when it detects the conflict.
    // Wait for that.
    bool waiting = now.pins.bell && now.still_shared_since;
    auto patience =
        std::max(milliseconds(10'000), context_.settings.keeper.reconcile_interval * 3 / 4);
    if (!waiting || loop_.now() - *now.still_shared_since >= patience) {
      auto holder = probed.found;
      if (!holder && !now.shared_with.empty()) holder = Holder{now.shared_with, {}, {}};
      conflicts_.report(now.vm, holder);
    }
    follow_migration(now);
  });
}

}  // namespace guard
