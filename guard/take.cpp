#include "guard/take.hpp"

#include "guard/give_back.hpp"
#include "guard/message.hpp"

namespace guard {
namespace {

Result<void> join_both(dlmfs::Mount& mount, const Domains& domains) {
  for (const dlmfs::DomainName& domain : {domains.locks, domains.bells}) {
    auto joined = mount.join(domain);
    if (joined) continue;
    Error error = std::move(joined).error().in("joining the DLM domain " + domain.text());
    if (error.code == EINVAL) {
      error.what +=
          " (the heartbeat does not run, this node is not in the cluster's configuration, or hosts "
          "differ in heartbeat mode: see `o2cb cluster-status`)";
    }
    return fail(std::move(error));
  }
  return {};
}

}  // namespace

Take::Take(const World& world, const Vm& vm, Purpose purpose, const std::optional<Record>& record)
    : world_(world),
      vm_(vm),
      name_(vm.uuid),
      purpose_(purpose),
      record_(record),
      since_(record && purpose == Purpose::keep ? record->since : now_in_seconds()) {}

Answer Take::run(const Tell& interim) {
  auto mount = world_.open_mount();
  if (!mount) return {Answer::Kind::cluster_down, mount.error().what};
  if (auto joined = join_both(**mount, world_.domains()); !joined) {
    return {Answer::Kind::cluster_down, joined.error().what};
  }
  auto there = (*mount)->exists(world_.domains().locks, name_);
  if (!there) return {Answer::Kind::failed, there.error().what};
  // A trace of an earlier run: its QEMU may have outlived the daemon that started it, and dlmfs
  // would grant this host its own lock again.
  if (purpose_ == Purpose::start && (*there || record_)) {
    if (auto qemu = living_qemu(vm_, record_)) {
      return {.kind = Answer::Kind::qemu_lives, .qemu = qemu};
    }
  }
  bool file_is_ours = *there && (record_ || purpose_ == Purpose::keep);
  auto taken = try_twice(**mount, file_is_ours);
  if (taken) return granted(**mount);
  if (!dlmfs::denied(taken.error())) return {Answer::Kind::failed, taken.error().what};
  return denied(**mount, file_is_ours, interim);
}

/// ETXTBSY is also what a race with an unlink on this host gives.
Result<void> Take::try_twice(dlmfs::Mount& mount, bool file_is_ours) const {
  const auto& domain = world_.domains().locks;
  auto lock = mount.trylock(domain, name_, dlmfs::Level::exclusive);
  if (!lock && dlmfs::denied(lock.error())) {
    if (!file_is_ours) std::ignore = mount.unlink(domain, name_);
    lock = mount.trylock(domain, name_, dlmfs::Level::exclusive);
  }
  if (!lock) return fail(std::move(lock).error());
  return {};
}

Answer Take::granted(dlmfs::Mount& mount) const {
  Bell bell(mount, world_.domains().bells, name_, world_.pause);
  auto announced = bell.announce({world_.host, since_, now_in_seconds()});
  return {Answer::Kind::granted, announced ? "" : announced.error().what};
}

Answer Take::denied(dlmfs::Mount& mount, bool file_is_ours, const Tell& interim) const {
  // The denied trylock's file would look like a held lock in `ls`.
  if (!file_is_ours) std::ignore = mount.unlink(world_.domains().locks, name_);
  interim({Answer::Kind::asking});
  Bell bell(mount, world_.domains().bells, name_, world_.pause);
  auto holder = bell.ask();
  if (!holder) return {Answer::Kind::denied, holder.error().what};
  // The DLM remembers a block for a while after the last lock on it is gone. One that names this
  // host, which has just been denied the lock, is such a memory.
  if (*holder && (*holder)->host == world_.host) holder->reset();
  return {.kind = Answer::Kind::denied, .holder = *holder};
}

void Take::clean_up(const Answer& answer) {
  if (answer.kind != Answer::Kind::granted) return;
  auto record = world_.recall(vm_);
  if (record && !record->released) return;  // this host held it before, and goes on
  if (purpose_ == Purpose::keep && !record) {
    // The VM ran, and its hook ended without an answer: it is guarded all the same, unless it has
    // ended meanwhile, when its release found no record to act on. Of other drivers' VMs nothing
    // here can tell that they have ended.
    auto process = process_in_pid_file(vm_, world_.pid_files);
    if (!process) process = find_qemu(vm_.uuid);
    if (process || vm_.driver != "qemu") {
      std::ignore = world_.records().write({vm_, since_, How::adopted, process});
      return;
    }
  }
  GiveBack give_back(world_, vm_, record);
  std::ignore = give_back.run([](const Answer&) {});
}

}  // namespace guard
