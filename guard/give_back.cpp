#include "guard/give_back.hpp"

#include "guard/disk_io.hpp"
#include "guard/message.hpp"

namespace guard {

Answer GiveBack::run(const Tell&) {
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
  if (auto in_flight = check_disk_io(world_, vm_, record_, last_moment)) return *in_flight;
  auto mount = world_.reach_mount();
  if (!mount) return {Answer::Kind::cluster_down, mount.error().what};
  if (keeper_.close(vm_) == KeeperLine::Closed::no_answer) {
    return {Answer::Kind::busy,
            "start-guard.service has it open and did not answer within a second; it gives it back"};
  }
  // The bell first: a host that finds the lock taken by the next holder must not hear of this one.
  Bell(**mount, world_.domains(record_).bells, name_, world_.pause).withdraw();
  auto gone = unlink_patiently(**mount);
  if (!gone) {
    announce_again(**mount);
    bool open_here = gone.error().code == EBUSY;
    return {open_here ? Answer::Kind::busy : Answer::Kind::failed, gone.error().what};
  }
  if (auto forgotten = world_.records().remove(vm_.uuid); !forgotten) {
    return {Answer::Kind::given_back, forgotten.error().what};
  }
  return {Answer::Kind::given_back};
}

/// A process of this host that looks into the lock keeps it from going for as long as it has it
/// open.
Result<void> GiveBack::unlink_patiently(dlmfs::Mount& mount) const {
  constexpr int tries = 10;
  constexpr std::chrono::milliseconds between{100};
  auto gone = mount.unlink(world_.domains(record_).locks, name_);
  for (int failed = 1; !gone && gone.error().code == EBUSY && failed < tries; ++failed) {
    world_.pause(between);
    gone = mount.unlink(world_.domains(record_).locks, name_);
  }
  return gone;
}

void GiveBack::announce_again(dlmfs::Mount& mount) const {
  if (!record_) return;
  std::ignore = Bell(mount, world_.domains(record_).bells, name_, world_.pause)
                    .announce({world_.host, record_->since, now_in_seconds()});
}

}  // namespace guard
