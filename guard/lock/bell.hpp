#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "dlmfs/mount.hpp"

namespace guard {

/// What a lock's holder tells through its bell, or a visitor leaves there for it.
struct Holder {
  enum class State {
    running,          ///< at rest: the VM runs there. Read by an asker: no keeper has answered
    no_migration,     ///< a keeper's answer: libvirt there tells of no outgoing migration of the VM
    still_migrating,  ///< a keeper's answer: the migration that was granted a hand-over is under
                      ///< way
    still_shared,     ///< a keeper's answer: the lock is still shared for an earlier migration
    libvirt_silent,   ///< a keeper's answer: libvirt there did not report in time
    blocked,    ///< a keeper's answer: a request queued on the lock itself keeps it from sharing it
    hand_over,  ///< a keeper's answer: the VM is being migrated, the target may share the lock
    accepted,   ///< a visitor's card: `host` has taken the hand-over
    runs_here_too,  ///< a visitor's card: the VM runs on `host`, too
  };
  std::string host;
  std::chrono::sys_seconds since;  ///< when the host took the lock, by its clock
  std::chrono::sys_seconds told;   ///< when it wrote this, by its clock
  State state = State::running;
  /// A live migration, as its source knows it.
  struct Job {
    std::chrono::milliseconds age{0};  ///< how long it had been under way when the bell rang
    unsigned number = 0;               ///< below 100,000; the next migration has another one
    friend bool operator==(const Job&, const Job&) = default;
  };
  Job job = {};  ///< of `hand_off` and `again`

  friend bool operator==(const Holder&, const Holder&) = default;
};

/// One line of text in the lock value block's 64 bytes: "1 running SINCE TOLD HOST", times in
/// seconds after 1970; where a migration is told of the second word is "handoff+AGE.NUMBER", its
/// age in milliseconds. A host name that does not fit is cut and ends in '~'.
[[nodiscard]] dlmfs::Lvb to_lvb(const Holder& holder);
/// Nothing for zeroes (never written, or the writer died) and for what is no such text.
[[nodiscard]] std::optional<Holder> holder_from_lvb(const dlmfs::Lvb& value);

/// A lock's bell: a second lock of the same name, in a domain of its own, in whose value block the
/// holder says who it is. To ring it is to queue a request for it; that takes nothing away, not
/// even from a holder with no process left to answer.
class Bell {
 public:
  using Pause = std::function<void(std::chrono::milliseconds)>;
  /// What a visitor leaves behind for what it has found, `waited` after it began to ring.
  using SlotUpdate = std::function<std::optional<Holder>(const std::optional<Holder>& found,
                                                         std::chrono::milliseconds waited)>;

  struct Armed {
    dlmfs::OpenLock lock;
    std::optional<Holder> found;  ///< what was there before: a visitor's card, perhaps
  };

  Bell(dlmfs::Mount& mount, dlmfs::DomainName domain, dlmfs::LockName name, Pause pause)
      : mount_(mount),
        domain_(std::move(domain)),
        name_(std::move(name)),
        pause_(std::move(pause)) {}

  /// For the holder of the lock. ETXTBSY: another host was asking all the while; whoever asks next
  /// is then told nothing, but the lock is none the worse.
  [[nodiscard]] Result<Armed> announce(const Holder& holder);

  /// Asks who holds the lock; sleeps until the holder's host has answered, or is evicted. Nothing:
  /// nobody says, not within a quarter of a second. Leaves nothing behind.
  [[nodiscard]] Result<std::optional<Holder>> ask();

  /// Asks alone: no other host reads what is found before `card` has been put in its place. So an
  /// answer meant for one is had by one, and the holder learns who it was.
  [[nodiscard]] Result<std::optional<Holder>> exchange(const SlotUpdate& update);

  /// For the holder, before it gives the lock back: later askers must not be told of it.
  void withdraw();

 private:
  using Once = std::function<Result<std::optional<Holder>>()>;
  [[nodiscard]] Result<std::optional<Holder>> retry_while_empty(const Once& once) const;
  [[nodiscard]] Result<void> remove();
  [[nodiscard]] Result<std::optional<Holder>> ask_once();
  [[nodiscard]] Result<std::optional<Holder>> exchange_once(const SlotUpdate& update);

  dlmfs::Mount& mount_;
  dlmfs::DomainName domain_;
  dlmfs::LockName name_;
  Pause pause_;
};

}  // namespace guard
