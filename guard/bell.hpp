#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "dlmfs/mount.hpp"

namespace guard {

/// What a lock's holder tells through its bell.
struct Holder {
  enum class State {
    running,   ///< the VM runs there, or is about to
    hand_off,  ///< the VM is being migrated, and the lock may be shared with the target
  };
  std::string host;
  std::chrono::sys_seconds since;  ///< when the host took the lock, by its clock
  std::chrono::sys_seconds told;   ///< when it wrote this, by its clock
  State state = State::running;

  friend bool operator==(const Holder&, const Holder&) = default;
};

/// One line of text in the lock value block's 64 bytes: "1 running SINCE TOLD HOST", times in
/// seconds after 1970. A host name that does not fit is cut and ends in '~'.
[[nodiscard]] dlmfs::Lvb to_lvb(const Holder& holder);
/// Nothing for zeroes (never written, or the writer died) and for what is no such text.
[[nodiscard]] std::optional<Holder> holder_from_lvb(const dlmfs::Lvb& value);

/// A lock's bell: a second lock of the same name, in a domain of its own, in whose value block the
/// holder says who it is. To ring it is to queue a request for it; that takes nothing away, not
/// even from a holder with no process left to answer.
class Bell {
 public:
  using Pause = std::function<void(std::chrono::milliseconds)>;

  Bell(dlmfs::Mount& mount, dlmfs::DomainName domain, dlmfs::LockName name, Pause pause)
      : mount_(mount),
        domain_(std::move(domain)),
        name_(std::move(name)),
        pause_(std::move(pause)) {}

  /// For the holder of the lock. ETXTBSY: another host was asking all the while; whoever asks next
  /// is then told nothing, but the lock is none the worse.
  [[nodiscard]] dlmfs::Result<dlmfs::OpenLock> announce(const Holder& holder);

  /// Asks who holds the lock; sleeps until the holder's host has answered, or is evicted. Nothing:
  /// nobody says. Leaves nothing behind.
  [[nodiscard]] dlmfs::Result<std::optional<Holder>> ask();

  /// For the holder, before it gives the lock back: later askers must not be told of it.
  void withdraw();

 private:
  [[nodiscard]] dlmfs::Result<std::optional<Holder>> ask_once();

  dlmfs::Mount& mount_;
  dlmfs::DomainName domain_;
  dlmfs::LockName name_;
  Pause pause_;
};

}  // namespace guard
