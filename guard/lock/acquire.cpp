#include "guard/lock/acquire.hpp"

#include "guard/host/disk_io.hpp"
#include "guard/lock/denial.hpp"
#include "guard/lock/join.hpp"
#include "guard/lock/unlock.hpp"
#include "guard/system/time_text.hpp"

namespace guard {

Result<void> join_domains(dlmfs::Mount& mount, const Domains& domains) {
  if (auto joined = join(mount, domains.locks); !joined) return joined;
  return join(mount, domains.bells);
}

Acquire::Acquire(const World& world, KeeperClient& keeper, const Vm& vm, Purpose purpose,
                 const std::optional<Record>& record, std::optional<IncomingMigration> marker)
    : world_(world),
      keeper_(keeper),
      vm_(vm),
      name_(vm.uuid),
      purpose_(purpose),
      record_(record),
      marker_(marker),
      since_(record && purpose == Purpose::keep ? record->since : now_in_seconds()) {}

Answer Acquire::run(const Tell& interim) {
  auto mount = world_.open_checked_mount();
  if (!mount) return {Answer::Kind::cluster_down, mount.error().what};
  if (auto joined = join_domains(**mount, world_.domains(record_)); !joined) {
    return {Answer::Kind::cluster_down, joined.error().what};
  }
  auto there = (*mount)->exists(world_.domains(record_).locks, name_);
  if (!there) return {Answer::Kind::failed, there.error().what};
  // A trace of an earlier run: its QEMU may have outlived the daemon that started it, and dlmfs
  // would grant this host its own lock again.
  if (purpose_ == Purpose::start && (*there || record_)) {
    auto qemu = living_qemu(vm_, record_, {}, world_.processes);
    switch (qemu.liveness) {
      case Liveness::alive:
        return {.kind = Answer::Kind::qemu_lives, .qemu = qemu.process};
      case Liveness::unknown:
        return {Answer::Kind::qemu_not_seen, qemu.why};
      case Liveness::dead:
        break;
    }
    if (auto in_flight = check_orphaned_io(world_, vm_, record_)) return *in_flight;
  }
  // A trylock would sleep beside it, until the other host lets go. Of a lock that has a record
  // this is not asked: the kernel goes through all locks of this host for an answer.
  const auto& domain = world_.domains(record_).locks;
  if (*there && !record_ && (*mount)->own_request(domain, name_) == dlmfs::OwnRequest::pending) {
    return {Answer::Kind::failed, why_file_stays(world_, vm_, dlmfs::Removal::waited_for)};
  }
  if (auto shared = still_shared(**mount)) return std::move(*shared);
  bool file_is_ours = *there && (record_ || purpose_ == Purpose::keep);
  auto taken = trylock_twice(**mount, file_is_ours);
  if (taken) return granted(**mount, std::move(*taken));
  if (!dlmfs::denied(taken.error())) return {Answer::Kind::failed, taken.error().what};
  return denied(**mount, file_is_ours, interim);
}

/// ETXTBSY is also what a race with an unlink on this host gives.
Result<dlmfs::OpenLock> Acquire::trylock_twice(dlmfs::Mount& mount, bool file_is_ours) const {
  const auto& domain = world_.domains(record_).locks;
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
  std::ignore = mount.unlink(world_.domains(record_).locks, name_);
}

Answer Acquire::granted(dlmfs::Mount& mount, dlmfs::OpenLock lock) {
  auto announced = bell(mount).announce({world_.host, since_, now_in_seconds()});
  Pins pins{std::move(lock)};
  if (announced) pins.bell = std::move(announced->lock);
  // Before this process lets go of it: there is no moment in which nobody has the lock open.
  bool kept = keeper_.keep(vm_, std::move(pins));
  return {
      .kind = Answer::Kind::granted, .why = announced ? "" : announced.error().what, .kept = kept};
}

/// In the middle of a migration two hosts hold PR, and neither can have EX. Nor may the source have
/// it while the target is still on its way to PR, which would wait for as long as the VM runs.
std::optional<Answer> Acquire::still_shared(dlmfs::Mount& mount) {
  if (purpose_ != Purpose::keep || !record_ || !record_->shared) return std::nullopt;
  auto lock = mount.trylock(world_.domains(record_).locks, name_, dlmfs::Level::protected_read);
  if (!lock) return std::nullopt;
  bool kept = keeper_.keep(vm_, Pins{std::move(*lock)});
  return Answer{.kind = Answer::Kind::granted, .shared = true, .kept = kept};
}

Answer Acquire::denied(dlmfs::Mount& mount, bool file_is_ours, const Tell& interim) {
  if (!file_is_ours) remove_denied(mount);
  // Only a keeper can turn the PR of a hand-over into EX when the migration is over.
  if (marker_ && !keeper_.level(vm_).keeper) return {Answer::Kind::not_kept_here};
  interim({Answer::Kind::asking});
  if (marker_) return ask_for_hand_over(mount, *marker_);
  constexpr int tries = 4;  // two seconds in all
  auto holder = ask_until_named(tries, [&] { return bell(mount).ask(); });
  if (holder_unknown(holder)) return {Answer::Kind::denied};
  if (!holder) return {Answer::Kind::denied, holder.error().what};
  return {.kind = Answer::Kind::denied, .holder = *holder};
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
Answer Acquire::ask_for_hand_over(dlmfs::Mount& mount, const IncomingMigration& marker) {
  bool older_than_job = false;
  auto update = [&](const std::optional<Holder>& found,
                    std::chrono::milliseconds waited) -> std::optional<Holder> {
    if (!found || found->state != Holder::State::hand_over) return found;
    older_than_job = marker.age() - waited >= found->job.age;
    if (older_than_job) return found;  // it is for another host
    Holder left{*found};
    left.state = Holder::State::accepted;
    left.host = world_.host;
    return left;
  };
  constexpr int tries = 10;
  auto ask = [&] { return bell(mount).exchange(update); };
  auto holder = ask_until_named(tries, ask);
  constexpr int most_visits = 20;
  constexpr std::chrono::milliseconds between{300};
  // One more visit, of up to two seconds, and what follows a consent.
  constexpr std::chrono::milliseconds rest{4000};
  for (int i = 1; i < most_visits && may_change(holder) && world_.deadline.left() > rest; ++i) {
    world_.pause(between);
    holder = ask_until_named(tries, ask);
  }
  if (holder_unknown(holder)) return {Answer::Kind::denied};
  if (!holder) return {Answer::Kind::denied, holder.error().what};
  if ((*holder)->state != Holder::State::hand_over) {
    return {.kind = Answer::Kind::denied, .holder = *holder};
  }
  if (older_than_job) {
    return {.kind = Answer::Kind::announced_before, .holder = *holder};
  }
  return share(mount, std::move(**holder));
}

/// This host's own name is the card it has left itself, or a memory: the DLM has a block for a
/// while after the last lock on it is gone.
bool Acquire::holder_unknown(const HolderResult& holder) const {
  return holder && (!*holder || (*holder)->host == world_.host);
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
    world_.pause(between);
    holder = ask();
  }
  return holder;
}

Answer Acquire::share(dlmfs::Mount& mount, Holder holder) {
  auto lock = mount.queue(world_.domains(record_).locks, name_, dlmfs::Level::protected_read);
  if (!lock) return {Answer::Kind::failed, lock.error().what};
  Answer denial{Answer::Kind::not_kept_here};
  if (keeper_.keep(vm_, Pins{std::move(*lock)})) {
    auto still = confirm_hand_over(mount);
    bool goes_on = still && *still && (*still)->state == Holder::State::still_migrating &&
                   (*still)->job.number == holder.job.number;
    if (goes_on) {
      return {
          .kind = Answer::Kind::granted, .holder = std::move(holder), .shared = true, .kept = true};
    }
    denial = still ? Answer{.kind = Answer::Kind::denied, .holder = *still}
                   : Answer{Answer::Kind::denied, still.error().what};
    std::ignore = keeper_.close(vm_);
  }
  std::ignore = dlmfs::remove_lock(mount, world_.domains(record_).locks, name_,
                                   dlmfs::Standing::granted, world_.pause);
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
    world_.pause(between);
    holder = bell(mount).exchange(update);
    // Its keeper has not found this host's card yet.
    bool unanswered = holder && *holder && (*holder)->state == Holder::State::accepted;
    // Or libvirt there is slow to say.
    bool slow = may_change(holder) && world_.deadline.left() > longest_visit;
    if (!unanswered && !slow) break;
  }
  return holder;
}

void Acquire::clean_up(const Answer& answer) {
  if (answer.kind != Answer::Kind::granted) return;
  auto record = world_.load_record(vm_);
  if (record && !record->released) return;  // this host held it before, and goes on
  if (purpose_ == Purpose::keep && !record) {
    // The VM ran, and its hook ended without an answer: it is guarded all the same, unless it has
    // ended meanwhile, when its release found no record to act on. Of other drivers' VMs nothing
    // here can tell that they have ended.
    auto process = process_in_pid_file(vm_, world_.pid_files, world_.processes);
    QemuSeen qemu{.liveness = Liveness::alive, .process = process};
    if (!process) qemu = find_qemu(vm_.uuid, world_.processes);
    if (qemu.liveness != Liveness::dead || vm_.driver != "qemu") {
      Record adopted{vm_, since_, Origin::adopted, qemu.process};
      adopted.domain = world_.settings.dlmfs.domain;
      std::ignore = world_.records().write(adopted);
      return;
    }
  }
  Unlock unlock(world_, keeper_, vm_, record, true);
  std::ignore = unlock.run([](const Answer&) {});
}

}  // namespace guard
