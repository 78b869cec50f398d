#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "dlmfs/mount.hpp"
#include "tests/dlmfs/resource.hpp"

namespace dlmfs {

class StandInCluster;

/// A call of dlmfs::Mount, to be made to fail.
enum class MountCall {
  join,
  leave,
  exists,
  trylock,
  queue,
  unlink,
  read_lvb,
  write_lvb,
  list,
};

/// Whether `error` stands for a call that sleeps in the kernel. It goes on in the cluster:
/// StandInHost::finished gives what became of it.
[[nodiscard]] inline bool would_sleep(const Error& error) {
  return error.code == EINPROGRESS;
}

/// The dlmfs of one host of a StandInCluster.
class StandInHost final : public Mount {
 public:
  [[nodiscard]] Result<void> join(const DomainName& domain) override;
  [[nodiscard]] Result<void> leave(const DomainName& domain) override;
  [[nodiscard]] Result<bool> exists(const DomainName& domain, const Name& name) override;
  [[nodiscard]] Result<OpenLock> trylock(const DomainName& domain, const Name& name,
                                         Level level) override;
  [[nodiscard]] Result<OpenLock> queue(const DomainName& domain, const Name& name,
                                       Level level) override;
  [[nodiscard]] OwnRequest own_request(const DomainName& domain, const Name& name) override;
  [[nodiscard]] Result<void> unlink(const DomainName& domain, const Name& name) override;
  [[nodiscard]] Result<Lvb> read_lvb(const OpenLock& lock) override;
  [[nodiscard]] Result<void> write_lvb(const OpenLock& lock, const Lvb& value) override;
  [[nodiscard]] Result<std::vector<LockName>> list(const DomainName& domain) override;

  /// What became of this host's open of this lock that slept, once; nothing while it sleeps. Until
  /// it is asked for, a granted one counts as open, as it does in the process that woke up.
  [[nodiscard]] std::optional<Result<OpenLock>> finished(const DomainName& domain,
                                                         const Name& name);

  /// `react` plays whoever polls this host's open locks: it is called when another host has queued
  /// a request that stands against the level held here, while a descriptor is open here, and
  /// before that request is found to sleep. It may open, close and write as it likes.
  void on_queued(const DomainName& domain, const Name& name, std::function<void()> react);

  /// The next call of this kind on this host fails and changes nothing. More than one add up.
  void fail_next(MountCall call, int code);

  [[nodiscard]] int number() const { return number_; }

  /// As without debugfs: it can't be seen whether a request of this host waits.
  void hide_requests(bool hidden) { requests_hidden_ = hidden; }

 private:
  friend class StandInCluster;
  StandInHost(StandInCluster& cluster, int number) : cluster_(cluster), number_(number) {}
  [[nodiscard]] std::optional<Error> failure(MountCall call);
  [[nodiscard]] Result<OpenLock> open(MountCall call, const DomainName& domain, const Name& name,
                                      Level level);
  [[nodiscard]] const Pin* pin_of(HostLock& lock, int fd) const;
  [[nodiscard]] HostLock* opened_as(int fd, const Pin*& pin);
  [[nodiscard]] std::string path(const DomainName& domain) const;
  [[nodiscard]] std::string path(const DomainName& domain, const Name& name) const;

  StandInCluster& cluster_;
  int number_;
  bool requests_hidden_ = false;
  std::map<MountCall, std::deque<int>> failures_;
};

/// A cluster in memory whose hosts see dlmfs as the kernel does it, deterministic and without ever
/// sleeping: a call that would sleep returns the error `would_sleep`, and its request stays queued.
/// Descriptors are real; that one was closed is noticed at the next call of anything here.
///
/// tests/conformance runs the same cases on this and on the kernel.
class StandInCluster {
 public:
  /// A host comes to be when it is first asked for. It has joined no domain.
  [[nodiscard]] StandInHost& host(int number);

  /// The level a host really has, whatever its file looks like.
  [[nodiscard]] std::optional<Level> level(int host, const DomainName& domain, const Name& name);
  /// The hosts with an open of this lock that sleeps, oldest first.
  [[nodiscard]] std::vector<int> queued(const DomainName& domain, const Name& name);

  /// The host dies. Its locks stay until it is evicted; meanwhile new locks, and those it masters,
  /// make every request sleep. Its own calls fail with EHOSTDOWN.
  void kill(int host);
  /// The others notice: the dead host's locks are freed, and what it wrote under EX is lost.
  void evict(int host);
  /// An evicted host comes back, with nothing.
  void boot(int host);
  /// Some time passes. Until then the master of a lock that every host has unlinked remembers it,
  /// and whoever takes it next reads what was last written to it.
  void purge();
  /// Who masters a lock. Otherwise it is the first host that asked for it, until it is purged.
  void set_master(const DomainName& domain, const Name& name, int host);

 private:
  friend class StandInHost;
  struct Domain {
    std::set<int> joined;
    std::map<Name, Resource> resources;
    std::map<int, Name> removed;  // by host: the lock whose unlink sleeps
  };

  /// Makes every change that is due.
  void settle();
  bool step(Domain& domain);
  bool finish_unlink(Domain& domain);
  [[nodiscard]] bool usable(int host) const {
    return !dead_.contains(host) && !out_.contains(host);
  }
  [[nodiscard]] Surroundings surroundings(const Domain& domain) const {
    return {dead_, domain.removed};
  }

  std::map<int, std::unique_ptr<StandInHost>> hosts_;
  std::map<DomainName, Domain> domains_;
  std::set<int> dead_;  // killed, not evicted
  std::set<int> out_;   // evicted, not booted again
  int last_call_ = 0;
};

}  // namespace dlmfs
