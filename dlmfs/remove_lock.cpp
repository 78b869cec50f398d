#include "dlmfs/remove_lock.hpp"

namespace dlmfs {
namespace {

constexpr std::chrono::milliseconds between{100};

Result<Removal> unlink(Mount& mount, const DomainName& domain, const Name& name) {
  auto gone = mount.unlink(domain, name);
  if (gone) return Removal::done;
  if (gone.error().code == EBUSY) return Removal::open_here;
  return fail(std::move(gone).error());
}

/// Tries to lock once more, then unlinks. If the trylock returns, granted or denied, no request of
/// this host is queued.
Result<Removal> probe_and_unlink(Mount& mount, const DomainName& domain, const Name& name) {
  if (auto lock = mount.trylock(domain, name, Level::exclusive); !lock && !denied(lock.error())) {
    return fail(std::move(lock).error());
  }
  return unlink(mount, domain, name);
}

Result<Removal> remove_once(Mount& mount, const DomainName& domain, const Name& name,
                            Standing standing, const Pause& pause) {
  if (standing == Standing::exclusive) return unlink(mount, domain, name);
  auto there = mount.exists(domain, name);
  if (there && !*there) return Removal::done;
  OwnRequest request = mount.own_request(domain, name);
  if (request == OwnRequest::none && standing == Standing::granted) {
    pause(between);
    request = mount.own_request(domain, name);
  }
  if (request == OwnRequest::none) return unlink(mount, domain, name);
  if (request == OwnRequest::pending) return Removal::waited_for;
  if (standing == Standing::granted) return probe_and_unlink(mount, domain, name);
  return Removal::cannot_tell;
}

}  // namespace

Result<Removal> remove_lock(Mount& mount, const DomainName& domain, const Name& name,
                            Standing standing, const Pause& pause) {
  constexpr int tries = 10;
  auto worth_another = [standing](const Result<Removal>& removal) {
    if (!removal || *removal == Removal::done) return false;
    return standing != Standing::unknown || *removal == Removal::open_here;
  };
  auto removal = remove_once(mount, domain, name, standing, pause);
  for (int failed = 1; worth_another(removal) && failed < tries; ++failed) {
    pause(between);
    removal = remove_once(mount, domain, name, standing, pause);
  }
  return removal;
}

}  // namespace dlmfs
