#include "tests/dlmfs/stand_in.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace dlmfs {

StandInHost& StandInCluster::host(int number) {
  auto& host = hosts_[number];
  if (!host) host.reset(new StandInHost(*this, number));
  return *host;
}

void StandInCluster::settle() {
  if (at_rest()) return;
  auto any_step = [this] {
    closed_before_ = closed_ ? closed_() : 0;
    return std::any_of(domains_.begin(), domains_.end(),
                       [this](auto& entry) { return step(entry.second); });
  };
  for (int steps = 0; any_step(); ++steps) {
    if (steps > 100'000) throw std::logic_error("the stand-in does not come to rest");
    ++changes_;
  }
  at_rest_ = true;
}

void StandInCluster::changed() {
  at_rest_ = false;
  ++changes_;
}

bool StandInCluster::step(Domain& domain) {
  if (finish_unlink(domain)) return true;
  return std::any_of(domain.resources.begin(), domain.resources.end(),
                     [&](auto& entry) { return entry.second.step(surroundings(domain)); });
}

bool StandInCluster::finish_unlink(Domain& domain) {
  for (auto& [host, name] : domain.removed) {
    Resource& resource = domain.resources[name];
    if (resource.busy(host) || !resource.reachable(surroundings(domain))) continue;
    if (resource.at(host).pins.empty()) resource.drop(host);  // otherwise it fails with EBUSY
    domain.removed.erase(host);
    return true;
  }
  return false;
}

std::optional<Level> StandInCluster::level(int host, const DomainName& domain, const Name& name) {
  settle();
  switch (domains_[domain].resources[name].at(host).held) {
    case Held::exclusive:
      return Level::exclusive;
    case Held::protected_read:
      return Level::protected_read;
    default:
      return std::nullopt;
  }
}

std::vector<int> StandInCluster::queued(const DomainName& domain, const Name& name) {
  settle();
  std::vector<int> hosts;
  for (const Call& call : domains_[domain].resources[name].calls()) {
    if (!call.outcome) hosts.push_back(call.host);
  }
  return hosts;
}

void StandInCluster::kill(int host) {
  settle();
  changed();
  dead_.insert(host);
  for (auto& [name, domain] : domains_) {
    domain.removed.erase(host);
    for (auto& [lock, resource] : domain.resources)
      resource.kill(host);
  }
}

void StandInCluster::evict(int host) {
  changed();
  dead_.erase(host);
  out_.insert(host);
  for (auto& [name, domain] : domains_) {
    domain.joined.erase(host);
    for (auto& [lock, resource] : domain.resources)
      resource.evict(host);
  }
  settle();
}

void StandInCluster::boot(int host) {
  out_.erase(host);
}

void StandInCluster::purge() {
  settle();
  changed();
  for (auto& [name, domain] : domains_) {
    for (auto& [lock, resource] : domain.resources)
      resource.purge();
  }
}

void StandInCluster::set_master(const DomainName& domain, const Name& name, int host) {
  changed();
  domains_[domain].resources[name].set_master(host);
}

std::string StandInHost::path(const DomainName& domain) const {
  return fmt::format("host{}:/dlm/{}", number_, domain.text());
}

std::string StandInHost::path(const DomainName& domain, const Name& name) const {
  return path(domain) + "/" + name.text();
}

/// Starts each call: first makes all pending changes in the cluster.
std::optional<Error> StandInHost::failure(MountCall call) {
  if (!cluster_.usable(number_)) return system_error(fmt::format("host{}", number_), EHOSTDOWN);
  cluster_.settle();
  auto& codes = failures_[call];
  if (codes.empty()) return std::nullopt;
  int code = codes.front();
  codes.pop_front();
  return system_error(fmt::format("host{}, as the test wants it", number_), code);
}

void StandInHost::fail_next(MountCall call, int code) {
  failures_[call].push_back(code);
}

Result<void> StandInHost::join(const DomainName& domain) {
  if (auto error = failure(MountCall::join)) return fail(*error);
  cluster_.changed();
  cluster_.domains_[domain].joined.insert(number_);
  return {};
}

Result<void> StandInHost::leave(const DomainName& domain) {
  if (auto error = failure(MountCall::leave)) return fail(*error);
  auto& found = cluster_.domains_[domain];
  if (!found.joined.contains(number_)) return fail(system_error("rmdir " + path(domain), ENOENT));
  for (auto& [name, resource] : found.resources) {
    if (resource.at(number_).file) return fail(system_error("rmdir " + path(domain), ENOTEMPTY));
  }
  cluster_.changed();
  found.joined.erase(number_);
  return {};
}

Result<bool> StandInHost::exists(const DomainName& domain, const Name& name) {
  if (auto error = failure(MountCall::exists)) return fail(*error);
  return cluster_.domains_[domain].resources[name].at(number_).file;
}

Result<OpenLock> StandInHost::trylock(const DomainName& domain, const Name& name, Level level) {
  return open(MountCall::trylock, domain, name, level);
}

Result<OpenLock> StandInHost::queue(const DomainName& domain, const Name& name, Level level) {
  return open(MountCall::queue, domain, name, level);
}

Result<OpenLock> StandInHost::open(MountCall call, const DomainName& domain, const Name& name,
                                   Level level) {
  if (auto error = failure(call)) return fail(*error);
  auto& found = cluster_.domains_[domain];
  std::string doing = "opening " + path(domain, name);
  if (!found.joined.contains(number_)) return fail(system_error(doing, ENOENT));
  auto& calls = found.resources[name].calls();
  int id = ++cluster_.last_call_;
  cluster_.changed();
  calls.push_back(Call{id, number_, level, call == MountCall::trylock});
  cluster_.settle();
  auto ours = std::find_if(calls.begin(), calls.end(), [id](const Call& c) { return c.id == id; });
  if (ours == calls.end()) return fail(system_error(doing, EHOSTDOWN));  // killed by `on_queued`
  if (!ours->outcome) return fail(Error{EINPROGRESS, "would sleep: " + doing});
  auto outcome = std::move(*ours->outcome);
  cluster_.changed();
  calls.erase(ours);
  if (!outcome) return fail(std::move(outcome).error().in(doing));
  return outcome;
}

std::optional<Result<OpenLock>> StandInHost::finished(const DomainName& domain, const Name& name) {
  cluster_.settle();
  auto& calls = cluster_.domains_[domain].resources[name].calls();
  auto ours = std::find_if(calls.begin(), calls.end(), [this](const Call& call) {
    return call.host == number_ && call.outcome;
  });
  if (ours == calls.end()) return std::nullopt;
  auto outcome = std::move(ours->outcome);
  cluster_.changed();
  calls.erase(ours);
  return outcome;
}

void StandInHost::on_queued(const DomainName& domain, const Name& name,
                            std::function<void()> react) {
  cluster_.domains_[domain].resources[name].at(number_).on_queued = std::move(react);
}

OwnRequest StandInHost::own_request(const DomainName& domain, const Name& name) {
  if (requests_hidden_) return OwnRequest::unknown;
  cluster_.settle();
  bool busy = cluster_.domains_[domain].resources[name].busy(number_);
  return busy ? OwnRequest::pending : OwnRequest::none;
}

Result<void> StandInHost::unlink(const DomainName& domain, const Name& name) {
  if (auto error = failure(MountCall::unlink)) return fail(*error);
  auto& found = cluster_.domains_[domain];
  Resource& resource = found.resources[name];
  std::string doing = "unlinking " + path(domain, name);
  cluster_.changed();
  if (found.removed.contains(number_)) return fail(Error{EINPROGRESS, "would sleep: " + doing});
  if (!found.joined.contains(number_) || !resource.at(number_).file) return {};
  bool busy = resource.busy(number_);
  bool pinned = !resource.at(number_).pins.empty();
  if (!busy && pinned) return fail(system_error(doing, EBUSY));
  // The DLM does not know a lock that was only ever denied, so it asks no master.
  bool known = resource.at(number_).held != Held::none;
  if (busy || (known && !resource.reachable(cluster_.surroundings(found)))) {
    found.removed.emplace(number_, name);
    return fail(Error{EINPROGRESS, "would sleep: " + doing});
  }
  resource.drop(number_);
  cluster_.settle();
  return {};
}

HostLock* StandInHost::opened_as(int fd, const Pin*& pin) {
  for (auto& [domain, found] : cluster_.domains_) {
    for (auto& [name, resource] : found.resources) {
      HostLock& lock = resource.at(number_);
      pin = pin_of(lock, fd);
      if (pin != nullptr) return &lock;
    }
  }
  return nullptr;
}

const Pin* StandInHost::pin_of(HostLock& lock, int fd) const {
  auto found = std::find_if(lock.pins.begin(), lock.pins.end(),
                            [fd](const Pin& pin) { return pin.opened_as(fd); });
  return found == lock.pins.end() ? nullptr : &*found;
}

Result<Lvb> StandInHost::read_lvb(const OpenLock& lock) {
  if (auto error = failure(MountCall::read_lvb)) return fail(*error);
  const Pin* pin = nullptr;
  HostLock* found = opened_as(lock.fd.get(), pin);
  if (found == nullptr) return fail(system_error("reading a lock value block", EBADF));
  return found->lvb;
}

Result<void> StandInHost::write_lvb(const OpenLock& lock, const Lvb& value) {
  if (auto error = failure(MountCall::write_lvb)) return fail(*error);
  const Pin* pin = nullptr;
  HostLock* found = opened_as(lock.fd.get(), pin);
  if (found == nullptr || pin->level() != Level::exclusive) {
    return fail(system_error("writing a lock value block", EBADF));
  }
  found->lvb = value;
  return {};
}

Result<std::vector<LockName>> StandInHost::list(const DomainName& domain) {
  if (auto error = failure(MountCall::list)) return fail(*error);
  auto& found = cluster_.domains_[domain];
  if (!found.joined.contains(number_)) return fail(system_error("listing " + path(domain), ENOENT));
  std::vector<LockName> names;
  for (auto& [name, resource] : found.resources) {
    auto lock = LockName::parse(name.text());
    if (lock && resource.at(number_).file) names.push_back(std::move(*lock));
  }
  return names;
}

}  // namespace dlmfs
