#include "guard/lock/unlock.hpp"

#include "guard/lock/denial.hpp"
#include "guard/system/time_text.hpp"

namespace guard {

UnlockResult Unlock::unlock() {
  // libvirt has killed QEMU and seen it exit. The kernel may need some time for its last thread.
  constexpr std::chrono::milliseconds last_moment{500};
  if (auto last_run = find_last_run(context_, vm_, record_, last_moment)) {
    return {.kind = UnlockResult::Kind::last_run, .last_run = last_run};
  }
  auto mount = context_.cluster.open_any_mount();
  if (!mount) return {UnlockResult::Kind::cluster_down, mount.error().what};
  const auto& domain = context_.cluster.domains(record_).locks;
  if (!granted_) {
    // Check before any change: the lock may be held by another host, and a process of this host may
    // have queued a request for it.
    auto request = (**mount).own_request(domain, name_);
    if (request == dlmfs::OwnRequest::pending) return stays(dlmfs::Removal::waited_for);
    if (request == dlmfs::OwnRequest::unknown) return stays(dlmfs::Removal::cannot_tell);
  }
  auto closed = keeper_.close(vm_);
  if (closed == KeeperClient::Closed::no_answer) {
    return {UnlockResult::Kind::file_in_use,
            "start-guard.service has it open and did not answer within a second; it unlocks later"};
  }
  // Remove the bell first: a host that is denied by the next holder must not read the name of this
  // host.
  Bell(**mount, context_.cluster.domains(record_).bells, name_, context_.cluster.pause).withdraw();
  auto standing = closed == KeeperClient::Closed::quiet ? dlmfs::Standing::exclusive
                  : granted_                            ? dlmfs::Standing::granted
                                                        : dlmfs::Standing::unknown;
  auto removed = dlmfs::remove_lock(**mount, domain, name_, standing, context_.cluster.pause);
  if (!removed || *removed != dlmfs::Removal::done) {
    arm_bell_again(**mount);
    return removed ? stays(*removed)
                   : UnlockResult{UnlockResult::Kind::failed, removed.error().what};
  }
  if (auto forgotten = context_.host.records().remove(vm_.uuid); !forgotten) {
    return {UnlockResult::Kind::unlocked, forgotten.error().what};
  }
  return {UnlockResult::Kind::unlocked};
}

UnlockResult Unlock::stays(dlmfs::Removal removal) const {
  return {UnlockResult::Kind::file_in_use, why_file_stays(context_.cluster, vm_, removal)};
}

void Unlock::arm_bell_again(dlmfs::Mount& mount) const {
  if (!record_) return;
  std::ignore = Bell(mount, context_.cluster.domains(record_).bells, name_, context_.cluster.pause)
                    .arm({context_.cluster.host_name, record_->since, now_in_seconds()});
}

UnlockResult wait_for_unlock(PendingCall& pending, const Deadline& deadline) {
  auto message = pending.receive(deadline);
  if (message) return unlock_result_from(*message);
  if (pending.abandoned()) return {};
  return {UnlockResult::Kind::failed, message.error().what};
}

}  // namespace guard
