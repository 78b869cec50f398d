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

/// What the DLM has granted to a host: none: it knows nothing of it; null: NL, the level was taken
/// away and nothing but the file is left.
enum class Held { none, null, protected_read, exclusive };

/// An open() that has not returned yet.
struct Call {
  int id;
  int host;
  Level level;
  bool noqueue;             // O_NONBLOCK
  bool sent = false;        // the DLM has queued the request
  bool converting = false;  // of a lock the host has already, if at NL
  bool stalled = false;     // the request waits for an eviction
  std::optional<Result<OpenLock>> outcome = std::nullopt;
};

/// One lock as one host sees it.
struct HostLock {
  bool file = false;
  Held held = Held::none;
  /// The highest level others have queued since this host's was last lowered. It stays when the
  /// requester dies.
  std::optional<Level> blocking = std::nullopt;
  std::vector<Pin> pins = {};
  Lvb lvb = {};  // this host's copy
  std::function<void()> on_queued = {};
};

/// What a lock has to know of its domain.
struct Surroundings {
  const std::set<int>& dead;           // hosts killed and not evicted yet
  const std::map<int, Name>& removed;  // by host: the lock whose unlink sleeps
};

/// One lock of a domain across all hosts: the kernel's rules, those of the DLM (fs/ocfs2/dlm) and
/// those of dlmfs on each host above it (fs/ocfs2/dlmfs/userdlm.c).
///
/// Everything happens in `step`, one change at a time, until nothing is left to change.
class Resource {
 public:
  [[nodiscard]] HostLock& at(int host) { return hosts_[host]; }
  [[nodiscard]] std::list<Call>& calls() { return calls_; }

  /// Makes one change that is due, if any is. Calls `on_queued`.
  bool step(const Surroundings& surroundings);

  /// Whether a request of this host is on its way, which an unlink there waits for.
  [[nodiscard]] bool busy(int host, const Call* apart_from = nullptr) const;
  /// Whether the master of this lock, or whoever would become it, answers.
  [[nodiscard]] bool reachable(const Surroundings& surroundings) const;
  /// Drops a host's lock and its file.
  void drop(int host);
  void kill(int host);
  void evict(int host);
  void set_master(int host) { master_ = host; }
  /// The master forgets the lock, its value block too, if no host has it any more.
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
