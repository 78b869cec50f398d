#pragma once

#include <cstdint>
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

/// A call of dlmfs::Mount that a test can make fail.
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

/// Returns true if the call that returned `error` would sleep in the kernel. The call continues in
/// the cluster; StandInHost::finished returns its result.
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

  /// Returns the result of this host's open of this lock that slept, once, or nullopt while it
  /// sleeps. Until then, a granted lock counts as open, as in the process that woke up.
  [[nodiscard]] std::optional<Result<OpenLock>> finished(const DomainName& domain,
                                                         const Name& name);

  /// Sets the reaction of a process that polls this host's open locks. It is called when another
  /// host has queued a request that conflicts with the level held here, while a descriptor is open
  /// here, and before that request counts as asleep. It may open, close and write.
  void on_queued(const DomainName& domain, const Name& name, std::function<void()> react);

  /// Makes the next call of this kind on this host fail with `code` and change nothing. Several
  /// calls add up.
  void fail_next(MountCall call, int code);

  [[nodiscard]] int number() const { return number_; }

  /// Simulates a host without debugfs: whether a request of this host waits is unknown.
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

/// A cluster in memory whose hosts have a dlmfs with the kernel's behaviour. It is deterministic
/// and never sleeps: a call that would sleep returns the error `would_sleep`, and its request stays
/// queued. Descriptors are real; the next call of any function here detects a closed one.
///
/// tests/conformance runs the same test cases on this and on the kernel.
class StandInCluster {
 public:
  /// Returns the host, and creates it at the first call. A new host has joined no domain.
  [[nodiscard]] StandInHost& host(int number);

  /// Returns the level that the host really has. Its file does not show the level.
  [[nodiscard]] std::optional<Level> level(int host, const DomainName& domain, const Name& name);
  /// Returns the hosts with an open of this lock that sleeps, oldest first.
  [[nodiscard]] std::vector<int> queued(const DomainName& domain, const Name& name);

  /// Kills the host. Its locks stay until it is evicted. Until then, requests for new locks, and
  /// for locks that it masters, sleep. Its own calls fail with EHOSTDOWN.
  void kill(int host);
  /// Evicts a dead host: its locks are released, and what it wrote under EX is lost.
  void evict(int host);
  /// Boots an evicted host, which has no locks and no domains.
  void boot(int host);
  /// Lets time pass. Until then, the master of a lock that every host has unlinked remembers it,
  /// and the next holder reads the value that was last written.
  void purge();
  /// Sets the master of a lock. Otherwise it is the first host that asked for it, until it is
  /// purged.
  void set_master(const DomainName& domain, const Name& name, int host);

  /// Returns how many changes were made. POLLIN on a descriptor changes only with this number.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  /// Sets a function that returns how many descriptors the processes have closed. The cluster then
  /// looks for closed ones only if this number has changed. Without it, every call does.
  void count_closed(std::function<std::uint64_t()> closed) { closed_ = std::move(closed); }

 private:
  friend class StandInHost;
  struct Domain {
    std::set<int> joined;
    std::map<Name, Resource> resources;
    std::map<int, Name> removed;  // by host: the lock whose unlink sleeps
  };

  /// Makes all pending changes.
  void settle();
  /// Takes note of a change that a call makes.
  void changed();
  [[nodiscard]] bool at_rest() const { return at_rest_ && closed_ && closed_() == closed_before_; }
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
  std::uint64_t changes_ = 0;
  bool at_rest_ = false;             // no call has changed anything since the last `settle`
  std::uint64_t closed_before_ = 0;  // what `closed_` returned then
  std::function<std::uint64_t()> closed_;
};

}  // namespace dlmfs
