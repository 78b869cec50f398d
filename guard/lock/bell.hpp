#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "dlmfs/mount.hpp"

namespace guard {

/// The content of a bell: what the lock's holder reports, or the reply that another host has left
/// for the holder in the reply slot, which is the same value block.
struct Holder {
  enum class State {
    running,           ///< default: the VM runs there. An asking host reads it if no keeper answers
    no_migration,      ///< keeper's answer: libvirt there reports no outgoing migration of the VM
    still_migrating,   ///< keeper's answer: the migration that was granted a hand-over still runs
    still_shared,      ///< keeper's answer: the lock is still shared for an earlier migration
    libvirt_silent,    ///< keeper's answer: libvirt there did not report in time
    hand_over_failed,  ///< keeper's answer: the VM is being migrated, but the hand-over failed
                       ///< there
    blocked,           ///< keeper's answer: no hand-over, because a request for the lock is queued
    hand_over,         ///< keeper's answer: the VM is being migrated, the target may share the lock
    accepted,          ///< reply: `host` has accepted the hand-over
    runs_here_too,     ///< reply: the VM also runs on `host`
  };
  std::string host;
  std::chrono::sys_seconds since;  ///< when the host acquired the lock, by its clock
  std::chrono::sys_seconds told;   ///< when it wrote this, by its clock
  State state = State::running;
  /// A live migration, as libvirt on its source reports it.
  struct Job {
    std::chrono::milliseconds age{0};  ///< age when the keeper was asked, or a little later
    unsigned number = 0;               ///< identifies the migration; below 100,000
    friend bool operator==(const Job&, const Job&) = default;
  };
  Job job = {};  ///< only for `hand_over` and `still_migrating`

  friend bool operator==(const Holder&, const Holder&) = default;
};

/// Returns the text for the lock value block (64 bytes): "1 running SINCE TOLD HOST", times in
/// seconds after 1970. The words for the states are in bell.cpp; they stay as they are, since hosts
/// of other versions read them. With a migration, the second word is "handoff+AGE.NUMBER" or
/// "again+AGE.NUMBER", the age in milliseconds. A host name that does not fit is cut and ends in
/// '~'.
[[nodiscard]] std::string to_text(const Holder& holder);
[[nodiscard]] dlmfs::Lvb to_lvb(const Holder& holder);
/// Returns nullopt for zeros (never written, or the writer died) and for any other text.
[[nodiscard]] std::optional<Holder> holder_from_text(std::string_view text);
[[nodiscard]] std::optional<Holder> holder_from_lvb(const dlmfs::Lvb& value);

/// A lock's bell: a second lock with the same name, in a DLM domain of its own. The holder writes
/// its name into the bell's value block. A host that asks for the name queues a request for the
/// bell. That request does not affect the lock itself, even if the holder has no process left to
/// answer. Callers of these functions may sleep in dlmfs, so they run in a child process or on a
/// worker thread.
class Bell {
 public:
  using Pause = std::function<void(std::chrono::milliseconds)>;
  /// Returns the reply for the reply slot (nullopt: zeros). `found`: what the slot contained.
  /// `waited`: the time from the request until it was granted.
  using SlotUpdate = std::function<std::optional<Holder>(const std::optional<Holder>& found,
                                                         std::chrono::milliseconds waited)>;

  struct Armed {
    dlmfs::OpenLock lock;
    std::optional<Holder> found;  ///< the earlier content, for example another host's reply
  };

  Bell(dlmfs::Mount& mount, dlmfs::DomainName domain, dlmfs::LockName name, Pause pause)
      : mount_(mount),
        domain_(std::move(domain)),
        name_(std::move(name)),
        pause_(std::move(pause)) {}

  /// Acquires the bell and writes `holder` into it. Only the holder of the lock calls this. Retries
  /// for half a second. ETXTBSY: other hosts had the bell during that time; the next host that asks
  /// then gets no name, but the lock itself is not affected.
  [[nodiscard]] Result<Armed> arm(const Holder& holder);

  /// Asks for the holder's name. Sleeps until the holder's host has answered or the cluster has
  /// evicted it. Returns nullopt if the bell stays empty for a quarter of a second. Removes its own
  /// lock on the bell.
  [[nodiscard]] Result<std::optional<Holder>> ask();

  /// Asks exclusively: no other host reads the answer before `update`'s reply has replaced it. So
  /// exactly one host consumes the answer, and the holder learns which one. Sleeps and returns as
  /// `ask` does.
  [[nodiscard]] Result<std::optional<Holder>> exchange(const SlotUpdate& update);

  /// Empties and removes the bell. The holder calls this before it unlocks, so that later requests
  /// do not return its name.
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
