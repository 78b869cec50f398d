#pragma once

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "dlmfs/mount.hpp"
#include "tests/dlmfs/pin.hpp"

namespace dlmfs {

/// The level that the DLM has granted to a host. none: the DLM has no lock of this host; null: NL,
/// the level was lowered and only the file is left.
enum class Held { none, null, protected_read, exclusive };

/// An open() that has not returned yet.
struct Call {
  int id;
  int host;
  Level level;
  bool noqueue;             // O_NONBLOCK
  bool sent = false;        // the DLM has queued the request
  bool converting = false;  // the host already has the lock, possibly at NL
  bool stalled = false;     // the request waits for an eviction
  std::optional<Result<OpenLock>> outcome = std::nullopt;
};

/// One lock on one host.
struct HostLock {
  bool file = false;
  Held held = Held::none;
  /// The highest level that other hosts have queued since this host's level was last lowered. It
  /// stays when the requester dies.
  std::optional<Level> blocking = std::nullopt;
  std::vector<Pin> pins = {};
  Lvb lvb = {};  // this host's copy
  std::function<void()> on_queued = {};
};

/// The state of the domain that a lock needs.
struct Surroundings {
  const std::set<int>& dead;           // hosts killed and not evicted yet
  const std::map<int, Name>& removed;  // by host: the lock whose unlink sleeps
};

/// One lock of a domain on all hosts. Implements the kernel's rules: those of the DLM
/// (fs/ocfs2/dlm) and, above it on each host, those of dlmfs (fs/ocfs2/dlmfs/userdlm.c).
///
/// `step` makes all changes, one at a time, until no change is pending.
class Resource {
 public:
  [[nodiscard]] HostLock& at(int host) { return hosts_[host]; }
  [[nodiscard]] std::list<Call>& calls() { return calls_; }

  /// Makes one pending change. Returns false if there is none. Calls `on_queued`.
  bool step(const Surroundings& surroundings);

  /// Returns true if a request of this host is pending, for which an unlink there waits.
  [[nodiscard]] bool busy(int host, const Call* apart_from = nullptr) const;
  /// Returns true if the master of this lock, or the future master, answers.
  [[nodiscard]] bool reachable(const Surroundings& surroundings) const;
  /// Removes a host's lock and its file.
  void drop(int host);
  void kill(int host);
  void evict(int host);
  void set_master(int host) { master_ = host; }
  /// Makes the master forget the lock and its value block if no host has the lock.
  void purge();

 private:
  bool reap(const Surroundings& surroundings);
  bool lower(const Surroundings& surroundings);
  bool go_on(const Surroundings& surroundings);
  bool go_on(Call& call, const Surroundings& surroundings);
  bool serve_queue(const Surroundings& surroundings);
  bool serve(Call& call, const Surroundings& surroundings);
  [[nodiscard]] bool grantable(const Call& call) const;
  void grant(Call& call);
  void pin(Call& call);
  void lower(int host, Held level);

  std::map<int, HostLock> hosts_;
  std::list<Call> calls_;
  std::optional<int> master_;
  Lvb lvb_ = {};  // the master's copy
};

}  // namespace dlmfs
