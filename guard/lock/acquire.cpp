#include "guard/lock/acquire.hpp"

#include "guard/lock/denial.hpp"
#include "guard/lock/join.hpp"
#include "guard/lock/unlock.hpp"
#include "guard/system/time_text.hpp"

namespace guard {

Result<void> join_domains(dlmfs::Mount& mount, const Domains& domains) {
  if (auto joined = join(mount, domains.locks); !joined) return joined;
  return join(mount, domains.bells);
}

Acquire::Acquire(const Context& context, KeeperClient& keeper, const Vm& vm, Purpose purpose,
                 const std::optional<Record>& record, Deadline deadline,
                 std::optional<IncomingMigration> announcement)
    : context_(context),
      keeper_(keeper),
      vm_(vm),
      name_(vm.uuid),
      purpose_(purpose),
      record_(record),
      since_(record && purpose == Purpose::keep ? record->since : now_in_seconds()),
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
  auto mount = context_.cluster.open_checked_mount();
  if (!mount) return {AcquireResult::Kind::cluster_down, mount.error().what};
  if (auto joined = join_domains(**mount, context_.cluster.domains(record_)); !joined) {
    return {AcquireResult::Kind::cluster_down, joined.error().what};
  }
  auto there = (*mount)->exists(context_.cluster.domains(record_).locks, name_);
  if (!there) return {AcquireResult::Kind::failed, there.error().what};
  // A trace of an earlier run: its QEMU may have outlived the daemon that started it, and dlmfs
  // would grant this host its own lock again.
  if (purpose_ == Purpose::start && (*there || record_)) {
    if (auto last_run = find_last_run(context_, vm_, record_)) {
      return {.kind = AcquireResult::Kind::last_run, .last_run = last_run};
    }
  }
  // A trylock would sleep beside it, until the other host lets go. Of a lock that has a record
  // this is not asked: the kernel goes through all locks of this host for an answer.
  const auto& domain = context_.cluster.domains(record_).locks;
  if (*there && !record_ && (*mount)->own_request(domain, name_) == dlmfs::OwnRequest::pending) {
    return {AcquireResult::Kind::failed,
            why_file_stays(context_.cluster, vm_, dlmfs::Removal::waited_for)};
  }
  if (auto shared = still_shared(**mount)) return std::move(*shared);
  bool file_is_ours = *there && (record_ || purpose_ == Purpose::keep);
  auto taken = trylock_twice(**mount, file_is_ours);
  if (taken) return granted(**mount, std::move(*taken));
  if (!dlmfs::denied(taken.error())) return {AcquireResult::Kind::failed, taken.error().what};
  return denied(**mount, file_is_ours, interim);
}

/// ETXTBSY is also what a race with an unlink on this host gives.
Result<dlmfs::OpenLock> Acquire::trylock_twice(dlmfs::Mount& mount, bool file_is_ours) const {
  const auto& domain = context_.cluster.domains(record_).locks;
  auto lock = mount.trylock(domain, name_, dlmfs::Level::exclusive);
  if (!lock && dlmfs::denied(lock.error())) {
    if (!file_is_ours) remove_denied(mount);
    lock = mount.trylock(domain, name_, dlmfs::Level::exclusive);
  }
  return lock;
}

/// The denied trylock's file would look like a held lock in `ls`. To be called right after the
/// trylock: an answer, whichever, proves that no request of this host waits, beside which an unlink
/// would hang (see OwnRequest).
void Acquire::remove_denied(dlmfs::Mount& mount) const {
  std::ignore = mount.unlink(context_.cluster.domains(record_).locks, name_);
}

AcquireResult Acquire::granted(dlmfs::Mount& mount, dlmfs::OpenLock lock) {
  auto announced = bell(mount).announce({context_.cluster.host_name, since_, now_in_seconds()});
  Pins pins{std::move(lock)};
  if (announced) pins.bell = std::move(announced->lock);
  // Before this process lets go of it: there is no moment in which nobody has the lock open.
  bool kept = keeper_.keep(vm_, std::move(pins));
  return {.kind = AcquireResult::Kind::granted,
          .why = announced ? "" : announced.error().what,
          .kept = kept};
}

/// In the middle of a migration two hosts hold PR, and neither can have EX. Nor may the source have
/// it while the target is still on its way to PR, which would wait for as long as the VM runs.
std::optional<AcquireResult> Acquire::still_shared(dlmfs::Mount& mount) {
  if (purpose_ != Purpose::keep || !record_ || !record_->shared) return std::nullopt;
  auto lock =
      mount.trylock(context_.cluster.domains(record_).locks, name_, dlmfs::Level::protected_read);
  if (!lock) return std::nullopt;
  bool kept = keeper_.keep(vm_, Pins{std::move(*lock)});
  return AcquireResult{.kind = AcquireResult::Kind::granted, .shared = true, .kept = kept};
}

AcquireResult Acquire::denied(dlmfs::Mount& mount, bool file_is_ours, const Interim& interim) {
  if (!file_is_ours) remove_denied(mount);
  // Only a keeper can turn the PR of a hand-over into EX when the migration is over.
  if (announcement_ && !keeper_.level(vm_).keeper) return {AcquireResult::Kind::keeper_needed};
  interim({AcquireResult::Kind::asking_holder});
  if (announcement_) return ask_for_hand_over(mount, *announcement_);
  constexpr int tries = 4;  // two seconds in all
  auto holder = ask_until_named(tries, [&] { return bell(mount).ask(); });
  if (holder_unknown(holder)) return {AcquireResult::Kind::denied};
  if (!holder) return {AcquireResult::Kind::denied, holder.error().what};
  return {.kind = AcquireResult::Kind::denied, .holder = *holder};
}

/// An announcement may be left from an earlier migration that libvirt itself refused, and the start
/// be a cold one: that must not share the lock of a VM that is just then being migrated to another
/// host. So the announcement has to be younger than the migration the holder consents to. Both are
/// ages, so no two clocks are compared.
///
/// The holder measures the job's age after this host has rung and before this host reads it. The
/// announcement's age is that at the moment of ringing, anew at each ring. So it is too small by
/// the time until the holder's libvirt has answered, as a rule some milliseconds: an announcement
/// that is older than the job by less than that counts as well. The age at the moment of reading
/// would be too large instead, and would refuse real migrations, whose announcement is younger than
/// the job only by what libvirt needs to get from one host to the other.
AcquireResult Acquire::ask_for_hand_over(dlmfs::Mount& mount,
                                         const IncomingMigration& announcement) {
  bool older_than_job = false;
  auto update = [&](const std::optional<Holder>& found,
                    std::chrono::milliseconds waited) -> std::optional<Holder> {
    if (!found || found->state != Holder::State::hand_over) return found;
    older_than_job = announcement.age() - waited >= found->job.age;
    if (older_than_job) return found;  // it is for another host
    Holder left{*found};
    left.state = Holder::State::accepted;
    left.host = context_.cluster.host_name;
    return left;
  };
  constexpr int tries = 10;
  auto ask = [&] { return bell(mount).exchange(update); };
  auto holder = ask_until_named(tries, ask);
  constexpr int most_visits = 20;
  constexpr std::chrono::milliseconds between{300};
  // One more visit, of up to two seconds, and what follows a consent.
  constexpr std::chrono::milliseconds rest{4000};
  for (int i = 1; i < most_visits && may_change(holder) && deadline_.left() > rest; ++i) {
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
  return share(mount, std::move(**holder));
}

/// This host's own name is the card it has left itself, or a memory: the DLM has a block for a
/// while after the last lock on it is gone.
bool Acquire::holder_unknown(const HolderResult& holder) const {
  return holder && (!*holder || (*holder)->host == context_.cluster.host_name);
}

/// Where many VMs migrate at once libvirt there needs longer for each answer, and an earlier
/// migration's end takes a moment.
bool Acquire::may_change(const HolderResult& holder) {
  return holder && *holder &&
         ((*holder)->state == Holder::State::libvirt_silent ||
          (*holder)->state == Holder::State::still_shared);
}

/// The lock is denied, so somebody has it. After a migration to there that host needs a moment
/// until it has the lock alone, and a bell; which it can't write while others ask.
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

AcquireResult Acquire::share(dlmfs::Mount& mount, Holder holder) {
  auto lock =
      mount.queue(context_.cluster.domains(record_).locks, name_, dlmfs::Level::protected_read);
  if (!lock) return {AcquireResult::Kind::failed, lock.error().what};
  AcquireResult denial{AcquireResult::Kind::keeper_needed};
  if (keeper_.keep(vm_, Pins{std::move(*lock)})) {
    auto still = confirm_hand_over(mount);
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
    std::ignore = keeper_.close(vm_);
  }
  std::ignore = dlmfs::remove_lock(mount, context_.cluster.domains(record_).locks, name_,
                                   dlmfs::Standing::granted, context_.cluster.pause);
  return denial;
}

/// A migration that waits for this hook is still under way. Another one is over by now: libvirt
/// here may have announced it and then failed, and the start be a cold one that came before the
/// source had heard of that; or the first answer was on its way for so long that it was about an
/// earlier migration.
Acquire::HolderResult Acquire::confirm_hand_over(dlmfs::Mount& mount) {
  constexpr int tries = 5;
  constexpr std::chrono::milliseconds between{500};
  constexpr std::chrono::milliseconds longest_visit{2500};
  // What it is told is had by this host alone, too: `again` must not outlive the keeper that said
  // it.
  auto update = [](const std::optional<Holder>& found,
                   std::chrono::milliseconds) -> std::optional<Holder> {
    if (!found || found->state != Holder::State::still_migrating) return found;
    return Holder{found->host, found->since, found->told};
  };
  HolderResult holder;
  for (int i = 0; i < tries; ++i) {
    context_.cluster.pause(between);
    holder = bell(mount).exchange(update);
    // Its keeper has not found this host's card yet.
    bool unanswered = holder && *holder && (*holder)->state == Holder::State::accepted;
    // Or libvirt there is slow to say.
    bool slow = may_change(holder) && deadline_.left() > longest_visit;
    if (!unanswered && !slow) break;
  }
  return holder;
}

void Acquire::clean_up() {
  if (result_.kind != AcquireResult::Kind::granted) return;
  auto record = context_.host.load_record(vm_);
  if (record && !record->released) return;  // this host held the lock before, and goes on
  if (purpose_ == Purpose::keep && !record) {
    // The VM ran, and its hook ended without an answer. Adopt the VM, unless it has ended
    // meanwhile: then its release found no record. Whether a VM of another driver has ended can't
    // be seen.
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
