#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dlmfs/lock_name.hpp"
#include "dlmfs/result.hpp"

namespace dlmfs {

/// A DLM domain's name, a directory right under the mount: 1 to 63 bytes, no '/', no leading '.'.
class DomainName {
 public:
  static constexpr std::size_t max_length = 63;
  [[nodiscard]] static std::optional<DomainName> parse(std::string_view text);
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  friend bool operator==(const DomainName&, const DomainName&) = default;
  friend auto operator<=>(const DomainName&, const DomainName&) = default;

 private:
  explicit DomainName(std::string_view text) : text_(text) {}
  std::string text_;
};

/// The DLM's lock levels that dlmfs offers.
enum class Level {
  protected_read,  ///< PR: shared among hosts; opened O_RDONLY
  exclusive,       ///< EX: one host alone; opened O_RDWR
};

/// A lock value block: 64 bytes that travel with a lock from host to host.
using Lvb = std::array<char, 64>;

/// A lock held open by this process, a *pin*: while an exclusive one stays open no request from
/// another host can take the level away. Closing it keeps the level, but then a request queued by
/// another host takes it silently. POLLIN on the descriptor: another host has queued a request.
struct OpenLock {
  UniqueFd fd;
  Level level;
};

/// Whether a request of this host for a lock waits in the DLM: a process of this host sleeps in an
/// open of the lock's file. An unlink of that file then sleeps as well, and holds the directory:
/// every open and unlink in the domain hangs on this host (user_dlm_destroy_lock in the kernel's
/// fs/ocfs2/dlmfs/userdlm.c waits for USER_LOCK_BUSY).
enum class OwnRequest {
  none,
  pending,
  unknown,  ///< debugfs is not mounted, or does not say which node this host is
};

/// The dlmfs mount of one host, and the only way this project touches it.
///
/// Any call here can sleep for as long as the cluster takes to evict a dead host (about a minute
/// with the kernel's defaults), unkillable; `queue` sleeps until it is granted. Callers with a
/// deadline make them in a child process they can abandon.
///
/// dlmfs excludes hosts, not processes: a lock this host holds is granted again on this host.
class Mount {
 public:
  virtual ~Mount() = default;

  /// Joins a domain (mkdir). Joined already is success. EINVAL: the heartbeat does not run, this
  /// node is not configured, or modes differ between hosts. ENOTCONN (after about 60 s): a peer
  /// heartbeats but is not connected.
  [[nodiscard]] virtual Result<void> join(const DomainName& domain) = 0;

  /// Leaves a domain (rmdir). ENOTEMPTY: locks are held in it.
  [[nodiscard]] virtual Result<void> leave(const DomainName& domain) = 0;

  /// Whether this host has a file for this lock. It says nothing of the level: a file stays when
  /// its level was denied, or was taken away by another host.
  [[nodiscard]] virtual Result<bool> exists(const DomainName& domain, const Name& name) = 0;

  /// Asks for the level without queueing, so no other host is ever disturbed. ETXTBSY: denied, and
  /// if the file was not there before, it is now: `unlink` it. A race with a local unlink gives
  /// ETXTBSY as well.
  [[nodiscard]] virtual Result<OpenLock> trylock(const DomainName& domain, const Name& name,
                                                 Level level) = 0;

  /// Asks for the level and sleeps until it is granted. The other holders see POLLIN; a closed
  /// lock of theirs is lowered by the kernel at once, an open one when they close it.
  [[nodiscard]] virtual Result<OpenLock> queue(const DomainName& domain, const Name& name,
                                               Level level) = 0;

  /// Whether a request of this host waits. A process that sleeps until another host's request has
  /// been served (it opened the file beside an open descriptor) has made none yet.
  [[nodiscard]] virtual OwnRequest own_request(const DomainName& domain, const Name& name) = 0;

  /// Drops the lock whole, whatever its level. Sleeps beside an own request: see remove.hpp. EBUSY:
  /// a process on this host has it open. ENOENT is success.
  [[nodiscard]] virtual Result<void> unlink(const DomainName& domain, const Name& name) = 0;

  /// The lock value block. Zeroes: never written, or its writer died with EX.
  [[nodiscard]] virtual Result<Lvb> read_lvb(const OpenLock& lock) = 0;

  /// Writes the lock value block through an exclusive lock. Other hosts see it when this host's
  /// lock is lowered or dropped. EBADF: the lock is not exclusive.
  [[nodiscard]] virtual Result<void> write_lvb(const OpenLock& lock, const Lvb& value) = 0;

  /// The locks this host has a file for, sorted; names that are no UUID's are left out.
  [[nodiscard]] virtual Result<std::vector<LockName>> list(const DomainName& domain) = 0;
};

/// Whether `error` is a denied request rather than a failure.
[[nodiscard]] inline bool denied(const Error& error) {
  return error.code == ETXTBSY;
}

}  // namespace dlmfs
