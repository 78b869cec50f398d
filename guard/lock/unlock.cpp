#include "guard/lock/unlock.hpp"

#include "guard/host/disk_io.hpp"
#include "guard/lock/denial.hpp"
#include "guard/system/time_text.hpp"

namespace guard {

Answer Unlock::run(const Tell&) {
  // libvirt has killed QEMU and seen it go; the kernel may need a moment more for its last thread.
  constexpr std::chrono::milliseconds last_moment{500};
  auto qemu = living_qemu(vm_, record_, last_moment, world_.processes);
  switch (qemu.liveness) {
    case Liveness::alive:
      return {.kind = Answer::Kind::qemu_lives, .qemu = qemu.process};
    case Liveness::unknown:
      return {Answer::Kind::qemu_not_seen, qemu.why};
    case Liveness::dead:
      break;
  }
  if (auto in_flight = check_orphaned_io(world_, vm_, record_, last_moment)) return *in_flight;
  auto mount = world_.open_any_mount();
  if (!mount) return {Answer::Kind::cluster_down, mount.error().what};
  const auto& domain = world_.domains(record_).locks;
  if (!granted_) {
    // Before anything is touched: it may be another host's lock, for which a process waits here.
    auto request = (**mount).own_request(domain, name_);
    if (request == dlmfs::OwnRequest::pending) return stays(dlmfs::Removal::waited_for);
    if (request == dlmfs::OwnRequest::unknown) return stays(dlmfs::Removal::cannot_tell);
  }
  auto closed = keeper_.close(vm_);
  if (closed == KeeperClient::Closed::no_answer) {
    return {Answer::Kind::busy,
            "start-guard.service has it open and did not answer within a second; it unlocks later"};
  }
  // The bell first: a host that finds the lock taken by the next holder must not hear of this one.
  Bell(**mount, world_.domains(record_).bells, name_, world_.pause).withdraw();
  auto standing = closed == KeeperClient::Closed::quiet ? dlmfs::Standing::exclusive
                  : granted_                            ? dlmfs::Standing::granted
                                                        : dlmfs::Standing::unknown;
  auto removed = dlmfs::remove_lock(**mount, domain, name_, standing, world_.pause);
  if (!removed || *removed != dlmfs::Removal::done) {
    announce_again(**mount);
    return removed ? stays(*removed) : Answer{Answer::Kind::failed, removed.error().what};
  }
  if (auto forgotten = world_.records().remove(vm_.uuid); !forgotten) {
    return {Answer::Kind::unlocked, forgotten.error().what};
  }
  return {Answer::Kind::unlocked};
}

Answer Unlock::stays(dlmfs::Removal removal) const {
  return {Answer::Kind::busy, why_file_stays(world_, vm_, removal)};
}

void Unlock::announce_again(dlmfs::Mount& mount) const {
  if (!record_) return;
  std::ignore = Bell(mount, world_.domains(record_).bells, name_, world_.pause)
                    .announce({world_.host, record_->since, now_in_seconds()});
}

}  // namespace guard
