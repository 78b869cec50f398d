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

/// The name of a DLM domain, which is a directory directly below the mount: 1 to 63 bytes, no '/',
/// no NUL, no leading '.'.
class DomainName {
 public:
  static constexpr std::size_t max_length = 63;
  [[nodiscard]] static std::optional<DomainName> parse(std::string_view text) {
    bool fits = !text.empty() && text.size() <= max_length && text.front() != '.' &&
                text.find('/') == std::string::npos && text.find('\0') == std::string::npos;
    return fits ? std::optional(DomainName(text)) : std::nullopt;
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  friend bool operator==(const DomainName&, const DomainName&) = default;
  friend auto operator<=>(const DomainName&, const DomainName&) = default;

 private:
  explicit DomainName(std::string_view text) : text_(text) {}
  std::string text_;
};

/// The DLM lock levels that dlmfs supports.
enum class Level {
  protected_read,  ///< PR: several hosts may hold it; opened with O_RDONLY
  exclusive,       ///< EX: only one host may hold it; opened with O_RDWR
};

/// A lock value block: 64 bytes that the DLM passes with a lock from host to host.
using Lvb = std::array<char, 64>;

/// A lock that this process holds open (a *pin*). While an exclusive lock is open, a request from
/// another host cannot lower its level. If the lock is closed, this host keeps the level, but a
/// queued request of another host then lowers it silently. POLLIN on the descriptor means that
/// another host has queued a request.
struct OpenLock {
  UniqueFd fd;
  Level level;
};

/// Whether a request of this host for a lock is queued in the DLM. Then a process of this host
/// sleeps in an open of the lock's file. An unlink of that file also sleeps and holds the lock of
/// the directory, so every open and unlink in the domain hangs on this host (user_dlm_destroy_lock
/// in the kernel's fs/ocfs2/dlmfs/userdlm.c waits for USER_LOCK_BUSY).
enum class OwnRequest {
  none,
  pending,
  unknown,  ///< debugfs cannot be read, or the kernel shows no node for this host
};

/// The dlmfs mount of one host. All code of this project uses dlmfs through this class.
///
/// Any call can sleep unkillably until the cluster evicts a dead host (about one minute with the
/// kernel's defaults). `queue` sleeps until its request is granted. Callers with a deadline make
/// the calls in a child process that they can abandon.
///
/// dlmfs excludes hosts, not processes: a lock that this host holds is granted again on this host.
/// While a process of this host trylocks a lock, no other may open or unlink its file: if the
/// trylock is denied, the kernel does not wake the other up (user_recover_from_dlm_error in its
/// fs/ocfs2/dlmfs/userdlm.c). That process sleeps for ever then, and an unlink holds the directory.
class Mount {
 public:
  virtual ~Mount() = default;

  /// Joins a domain (mkdir). Succeeds if this host has already joined. EINVAL: the heartbeat does
  /// not run, this node is not configured, or the heartbeat modes of the hosts differ. ENOTCONN
  /// (after about 60 s): a peer heartbeats but is not connected.
  [[nodiscard]] virtual Result<void> join(const DomainName& domain) = 0;

  /// Leaves a domain (rmdir). ENOTEMPTY: this host has lock files in it.
  [[nodiscard]] virtual Result<void> leave(const DomainName& domain) = 0;

  /// Returns true if this host has a file for this lock. The file does not tell the level: it also
  /// stays when a request is denied, or when a request of another host lowers the level.
  [[nodiscard]] virtual Result<bool> exists(const DomainName& domain, const Name& name) = 0;

  /// Requests the level without queueing, so it does not affect other hosts. ETXTBSY: denied. Then
  /// the file exists, even if it did not exist before; the caller must `unlink` it. A race with a
  /// local unlink also gives ETXTBSY.
  [[nodiscard]] virtual Result<OpenLock> trylock(const DomainName& domain, const Name& name,
                                                 Level level) = 0;

  /// Requests the level and sleeps until it is granted. The other holders see POLLIN. The kernel
  /// lowers their lock at once if it is closed, or else when they close it.
  [[nodiscard]] virtual Result<OpenLock> queue(const DomainName& domain, const Name& name,
                                               Level level) = 0;

  /// Returns whether a request of this host is queued. A process that opens the file while another
  /// descriptor of it is open may sleep until another host's request has been served. Such a
  /// process has not queued a request yet.
  [[nodiscard]] virtual OwnRequest own_request(const DomainName& domain, const Name& name) = 0;

  /// Unlocks: removes the file and this host's lock of any level. Sleeps while a request of this
  /// host is queued; see remove_lock.hpp. EBUSY: a process of this host has the file open. Succeeds
  /// if there is no file.
  [[nodiscard]] virtual Result<void> unlink(const DomainName& domain, const Name& name) = 0;

  /// Reads the lock value block. It is all zeros if it was never written, or if its writer died
  /// while it held EX.
  [[nodiscard]] virtual Result<Lvb> read_lvb(const OpenLock& lock) = 0;

  /// Writes the lock value block through an exclusive lock. Other hosts see it once this host's
  /// lock is lowered or unlocked. EBADF: the lock is not exclusive.
  [[nodiscard]] virtual Result<void> write_lvb(const OpenLock& lock, const Lvb& value) = 0;

  /// Returns the locks for which this host has a file, sorted. Skips names that are not lock names
  /// of a UUID.
  [[nodiscard]] virtual Result<std::vector<LockName>> list(const DomainName& domain) = 0;
};

/// Returns true if `error` means that the request was denied, and not that it failed.
[[nodiscard]] inline bool denied(const Error& error) {
  return error.code == ETXTBSY;
}

}  // namespace dlmfs
