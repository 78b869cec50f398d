#include "guard/lock/acquire.hpp"

#include "guard/lock/denial.hpp"
#include "guard/lock/unlock.hpp"
#include "guard/system/time_text.hpp"

namespace guard {

Acquire::Acquire(const Context& context, KeeperClient& keeper, const Vm& vm, Purpose purpose,
                 const std::optional<Record>& record, Deadline deadline,
                 std::optional<IncomingMigration> announcement)
    : context_(context),
      keeper_(keeper),
      vm_(vm),
      name_(vm.uuid),
      purpose_(purpose),
      record_(record),
      since_(record && purpose == Purpose::vm_may_run ? record->since : now_in_seconds()),
      deadline_(deadline),
      announcement_(announcement) {}

void Acquire::run(const Send& send) {
  send(to_text(acquire([&](const AcquireResult& interim) { send(to_text(interim)); })));
}

AcquireResult Acquire::acquire(const Interim& interim) {
  result_ = attempt(interim);
  return result_;
}

AcquireResult Acquire::attempt(const Interim& interim) {
  // Check this first: with on_cluster_down = "allow" a VM also starts without the cluster.
  if (record_) {
    if (auto alive = last_run_before_start()) return std::move(*alive);
  }
  auto mount = context_.cluster.open_checked_mount();
  if (!mount) return {AcquireResult::Kind::cluster_down, mount.error().what};
  if (auto joined = join_domains(**mount, context_.cluster.domains(record_)); !joined) {
    return {AcquireResult::Kind::cluster_down, joined.error().what};
  }
  auto there = (*mount)->exists(context_.cluster.domains(record_).locks, name_);
  if (!there) return {AcquireResult::Kind::failed, there.error().what};
  if (*there && !record_) {
    if (auto alive = last_run_before_start()) return std::move(*alive);
  }
  // If a request of this host is queued, a trylock would sleep until the other host unlocks. Skip
  // the check if there is a record: the kernel goes through all locks of this host to answer it.
  const auto& domain = context_.cluster.domains(record_).locks;
  if (*there && !record_ && (*mount)->own_request(domain, name_) == dlmfs::OwnRequest::pending) {
    return {AcquireResult::Kind::failed,
            why_file_stays(context_.cluster, vm_, dlmfs::Removal::waited_for)};
  }
  if (auto shared = still_shared(**mount)) return std::move(*shared);
  bool file_is_ours = *there && (record_ || purpose_ == Purpose::vm_may_run);
  auto lock = trylock_twice(**mount, file_is_ours);
  if (lock) return granted(**mount, std::move(*lock));
  if (!dlmfs::denied(lock.error())) return {AcquireResult::Kind::failed, lock.error().what};
  return denied(**mount, file_is_ours, interim);
}

/// This host has a file or a record of an earlier run. Its QEMU may have outlived the daemon that
/// started it, and dlmfs would grant this host its own lock again.
std::optional<AcquireResult> Acquire::last_run_before_start() const {
  if (purpose_ != Purpose::start) return std::nullopt;
  auto last_run = find_last_run(context_, vm_, record_);
  if (!last_run) return std::nullopt;
  return AcquireResult{.kind = AcquireResult::Kind::last_run, .last_run = std::move(last_run)};
}

/// A race with an unlink on this host also gives ETXTBSY, so this tries twice.
Result<dlmfs::OpenLock> Acquire::trylock_twice(dlmfs::Mount& mount, bool file_is_ours) const {
  const auto& domain = context_.cluster.domains(record_).locks;
  auto lock = mount.trylock(domain, name_, dlmfs::Level::exclusive);
  if (!lock && dlmfs::denied(lock.error())) {
    if (!file_is_ours) remove_denied(mount);
    lock = mount.trylock(domain, name_, dlmfs::Level::exclusive);
  }
  return lock;
}

/// The file of a denied trylock looks like a held lock in `ls`. Call this right after the trylock:
/// its result, granted or denied, proves that no request of this host is queued. An unlink would
/// hang while one is queued (see OwnRequest).
void Acquire::remove_denied(dlmfs::Mount& mount) const {
  std::ignore = mount.unlink(context_.cluster.domains(record_).locks, name_);
}

AcquireResult Acquire::granted(dlmfs::Mount& mount, dlmfs::OpenLock lock) {
  auto announced = bell(mount).arm({context_.cluster.host_name, since_, now_in_seconds()});
  Pins pins{std::move(lock)};
  if (announced) pins.bell = std::move(announced->lock);
  // Pass the pins on before this process closes them, so the lock is open at every moment.
  bool kept = keeper_.keep(vm_, std::move(pins));
  return {.kind = AcquireResult::Kind::granted,
          .why = announced ? "" : announced.error().what,
          .kept = kept};
}

/// During a migration, two hosts hold PR, and neither can get EX. The source must also not acquire
/// EX while the target is still about to queue for PR: that request would wait for as long as the
/// VM runs.
std::optional<AcquireResult> Acquire::still_shared(dlmfs::Mount& mount) {
  if (purpose_ != Purpose::vm_may_run || !record_ || !record_->shared) return std::nullopt;
  auto lock =
      mount.trylock(context_.cluster.domains(record_).locks, name_, dlmfs::Level::protected_read);
  if (!lock) return std::nullopt;
  bool kept = keeper_.keep(vm_, Pins{std::move(*lock)});
  return AcquireResult{.kind = AcquireResult::Kind::granted, .shared = true, .kept = kept};
}

AcquireResult Acquire::denied(dlmfs::Mount& mount, bool file_is_ours, const Interim& interim) {
  if (!file_is_ours) remove_denied(mount);
  // Only a keeper can change the PR of a hand-over to EX after the migration.
  if (announcement_ && !keeper_.level(vm_).keeper) return {AcquireResult::Kind::keeper_needed};
  interim({AcquireResult::Kind::asking_holder});
  if (announcement_) return ask_for_hand_over(mount, *announcement_);
  constexpr int tries = 4;  // two seconds in total
  auto holder = ask_until_named(tries, [&] { return bell(mount).ask(); });
  if (holder_unknown(holder)) return {AcquireResult::Kind::denied};
  if (!holder) return {AcquireResult::Kind::denied, holder.error().what};
  return {.kind = AcquireResult::Kind::denied, .holder = *holder};
}

/// An announcement may be left over from a migration that libvirt itself refused. Then the start
/// may be a cold start. It must not share the lock of a VM that is just being migrated to another
/// host. So the announcement must be younger than the migration for which the holder grants a
/// hand-over. Both are ages, so no clocks of two hosts are compared.
///
/// The holder measures the age of the migration after this host queues its request and before this
/// host reads the answer. The age of the announcement is measured when the request is queued, for
/// each request. So it is too small by the time that libvirt on the holder's host needs to reply,
/// usually some milliseconds. Within that time, an older announcement is accepted. The age at the
/// time of reading would be too large: real migrations would be denied, because their announcement
/// is younger only by the time that libvirt needs to get from one host to the other.
AcquireResult Acquire::ask_for_hand_over(dlmfs::Mount& mount,
                                         const IncomingMigration& announcement) {
  bool older_than_job = false;
  auto update = [&](const std::optional<Holder>& found,
                    std::chrono::milliseconds waited) -> std::optional<Holder> {
    if (!found || found->state != Holder::State::hand_over) return found;
    older_than_job = announcement.age() - waited >= found->job.age;
    if (older_than_job) return found;  // the hand-over is for another host
    Holder left{*found};
    left.state = Holder::State::accepted;
    left.host = context_.cluster.host_name;
    return left;
  };
  constexpr int tries = 10;
  auto ask = [&] { return bell(mount).exchange(update); };
  auto holder = ask_until_named(tries, ask);
  constexpr int most_exchanges = 20;
  constexpr std::chrono::milliseconds between{300};
  // Time for one more exchange (up to two seconds) and for what follows a grant.
  constexpr std::chrono::milliseconds rest{4000};
  for (int i = 1; i < most_exchanges && may_change(holder) && deadline_.left() > rest; ++i) {
    context_.cluster.pause(between);
    holder = ask_until_named(tries, ask);
  }
  if (holder_unknown(holder)) return {AcquireResult::Kind::denied};
  if (!holder) return {AcquireResult::Kind::denied, holder.error().what};
  if ((*holder)->state != Holder::State::hand_over) {
    return {.kind = AcquireResult::Kind::denied, .holder = *holder};
  }
  if (older_than_job) {
    return {.kind = AcquireResult::Kind::announced_before, .holder = *holder};
  }
  return share(mount, std::move(**holder), announcement);
}

/// The name of this host is its own reply, or old content: the DLM keeps the value block for some
/// time after the last lock on it is gone.
bool Acquire::holder_unknown(const HolderResult& holder) const {
  return holder && (!*holder || (*holder)->host == context_.cluster.host_name);
}

/// If many VMs migrate at once, libvirt there replies later. The end of an earlier migration also
/// takes some time.
bool Acquire::may_change(const HolderResult& holder) {
  return holder && *holder &&
         ((*holder)->state == Holder::State::libvirt_silent ||
          (*holder)->state == Holder::State::hand_over_failed ||
          (*holder)->state == Holder::State::still_shared);
}

/// The lock is denied, so another host holds it. After a migration, that host needs some time to
/// get EX and to write its bell, and it cannot write while others ask.
Acquire::HolderResult Acquire::ask_until_named(int tries,
                                               const std::function<HolderResult()>& ask) const {
  constexpr std::chrono::milliseconds between{300};
  auto holder = ask();
  for (int i = 1; i < tries && holder_unknown(holder); ++i) {
    context_.cluster.pause(between);
    holder = ask();
  }
  return holder;
}

AcquireResult Acquire::share(dlmfs::Mount& mount, Holder holder,
                             const IncomingMigration& announcement) {
  auto lock =
      mount.queue(context_.cluster.domains(record_).locks, name_, dlmfs::Level::protected_read);
  if (!lock) return {AcquireResult::Kind::failed, lock.error().what};
  AcquireResult denial{AcquireResult::Kind::keeper_needed};
  if (keeper_.keep(vm_, Pins{std::move(*lock)})) {
    auto still = confirm_hand_over(mount, announcement);
    bool goes_on = still && *still && (*still)->state == Holder::State::still_migrating &&
                   (*still)->job.number == holder.job.number;
    if (goes_on) {
      return {.kind = AcquireResult::Kind::granted,
              .holder = std::move(holder),
              .shared = true,
              .kept = true};
    }
    denial = still ? AcquireResult{.kind = AcquireResult::Kind::denied, .holder = *still}
                   : AcquireResult{AcquireResult::Kind::denied, still.error().what};
    if (still && *still && (*still)->state == Holder::State::accepted) {
      holder.state = Holder::State::running;  // its keeper has not read this host's reply
      denial.holder = std::move(holder);
    }
    std::ignore = keeper_.close(vm_);
  }
  std::ignore = dlmfs::remove_lock(mount, context_.cluster.domains(record_).locks, name_,
                                   dlmfs::Standing::granted, context_.cluster.pause);
  return denial;
}

/// The migration that waits for this hook must still run. Another migration is over by now. Two
/// cases are possible. First: libvirt here announced a migration that failed, and the start is a
/// cold start that came before libvirt on the source reported the failure. Second: the first answer
/// was delayed so long that it is about an earlier migration.
Acquire::HolderResult Acquire::confirm_hand_over(dlmfs::Mount& mount,
                                                 const IncomingMigration& announcement) {
  constexpr int tries = 10;
  // Long enough for libvirt on the source to learn that libvirt here refused the migration.
  constexpr std::chrono::milliseconds least_age{300};
  // Long enough for the keeper there to read the reply of this host.
  constexpr std::chrono::milliseconds least_pause{100};
  constexpr std::chrono::milliseconds between{250};
  constexpr std::chrono::milliseconds longest_exchange{2500};
  // Exactly one host consumes this answer too: `still_migrating` must not outlive the keeper that
  // wrote it.
  auto update = [](const std::optional<Holder>& found,
                   std::chrono::milliseconds) -> std::optional<Holder> {
    if (!found || found->state != Holder::State::still_migrating) return found;
    return Holder{found->host, found->since, found->told};
  };
  HolderResult holder;
  for (int i = 0; i < tries; ++i) {
    context_.cluster.pause(i > 0 ? between : std::max(least_pause, least_age - announcement.age()));
    holder = bell(mount).exchange(update);
    // The keeper there has not read the reply of this host yet.
    bool unanswered = holder && *holder && (*holder)->state == Holder::State::accepted;
    // Or libvirt there replies late.
    bool slow = may_change(holder) && deadline_.left() > longest_exchange;
    if (!unanswered && !slow) break;
  }
  return holder;
}

void Acquire::clean_up() {
  if (result_.kind != AcquireResult::Kind::granted) return;
  auto record = context_.host.load_record(vm_);
  if (record && !record->released) return;  // this host held the lock before and keeps it
  if (purpose_ == Purpose::vm_may_run && !record) {
    // The VM ran, and its hook ended before it accepted the result. Adopt the VM, unless it has
    // ended meanwhile: then its `release` found no record. For a VM of another driver, this host
    // cannot see whether it has ended.
    const auto& paths = context_.paths;
    auto process = process_in_pid_file(vm_, paths.pid_files, paths.processes);
    QemuSeen qemu{.liveness = Liveness::alive, .process = process};
    if (!process) qemu = find_qemu(vm_.uuid, paths.processes);
    if (qemu.liveness != Liveness::dead || vm_.driver != "qemu") {
      Record adopted{vm_, since_, Origin::adopted, qemu.process};
      adopted.domain = context_.cluster.domain;
      std::ignore = context_.host.records().write(adopted);
      return;
    }
  }
  std::ignore = Unlock(context_, keeper_, vm_, record, true).unlock();
}

AcquireResult wait_for_result(PendingCall& pending, const Deadline& deadline) {
  AcquireResult latest;
  for (;;) {
    auto message = pending.receive(deadline);
    if (!message && pending.abandoned()) return latest;
    if (!message) return {AcquireResult::Kind::failed, message.error().what};
    latest = acquire_result_from(*message);
    if (latest.kind != AcquireResult::Kind::asking_holder) return latest;
  }
}

}  // namespace guard
