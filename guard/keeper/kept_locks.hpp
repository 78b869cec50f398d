#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "guard/ipc/keeper_client.hpp"
#include "guard/keeper/fd_store.hpp"
#include "guard/keeper/loop.hpp"
#include "guard/lock/context.hpp"

namespace guard {

/// A VM's lock that is open here, with what is going on about it.
struct KeptLock {
  Vm vm;
  Pins pins = {};
  // Before the pins they watch: destroyed first, since declared later.
  Loop::Handle lock_watch = nullptr, bell_watch = nullptr;
  bool busy = false;                                          ///< a step has the pins
  std::optional<dlmfs::Level> level_before = std::nullopt;    ///< that step
  bool rang = false;                                          ///< meanwhile
  std::vector<std::function<void(bool quiet)>> closing = {};  ///< once that step is done
  std::optional<std::pair<std::chrono::sys_seconds, Origin>> taken = std::nullopt;  ///< once read

  // Its bell, and the migrations of its VM.
  bool asking = false;                     ///< libvirt, before the bell is answered
  bool libvirt_asked = false;              ///< and has not answered, be it for an earlier ring
  Loop::Callback next_question = nullptr;  ///< asked once that answer has come
  Loop::Handle bell_timer = nullptr, shared_timer = nullptr, late_request_timer = nullptr;
  int generation = 0;  ///< hand-overs, and their ends: what libvirt said before counts no more
  std::chrono::milliseconds migration_poll_interval{1000};  ///< between two looks at the migration
  std::optional<Loop::Clock::time_point> still_shared_since = std::nullopt;
  bool queued_told = false;
  std::string shared_with = {};  ///< the host that has taken the last hand-over
  int late_requests = 0;  ///< hosts that have taken a hand-over, and may have yet to ask for PR

  /// What this host holds of it; during a step, what it held before.
  [[nodiscard]] std::optional<dlmfs::Level> level() const;
};

/// The locks that are open on this host, each stored in the file descriptor store as well. All of
/// it runs in the loop's thread; what may sleep is done beside it, one step at a time for each VM.
class KeptLocks {
 public:
  /// What other hosts do about a lock, told while no step is at work on it.
  struct Events {
    std::function<void(const dlmfs::Uuid&)> queued;  ///< a request for the lock itself
    std::function<void(const dlmfs::Uuid&)> rang;    ///< a request for its bell
  };

  /// Nothing of a VM is open any more; `quiet`: Pins::quiet, until then.
  using Closed = std::function<void(bool quiet)>;

  KeptLocks(Loop& loop, FdStore& fd_store) : loop_(loop), fd_store_(fd_store) {}

  /// From now on these are called.
  void on(Events events) { events_ = std::move(events); }

  [[nodiscard]] FdStore& fd_store() const { return fd_store_; }
  [[nodiscard]] KeptLock* find(const dlmfs::Uuid& uuid) const;
  /// The VM's, with nothing open where it is a new one.
  KeptLock& made(const Vm& vm);
  /// Closes all that is open of the VM.
  void forget(const dlmfs::Uuid& uuid);
  /// What a hook has opened takes the place of what was open before.
  void put(KeptLock& kept, Pins pins);
  /// Removes the VM's lock from the file descriptor store and forgets the VM, then calls `closed`;
  /// after the step that is at work on it.
  void close(const dlmfs::Uuid& uuid, Closed closed);

  /// Runs `step` beside the loop, with the VM's pins; then `done` in it, unless the lock has been
  /// closed by then.
  template <typename R>
  void work_on(KeptLock& kept, std::function<R(Pins&)> step,
               std::function<void(KeptLock&, R)> done) {
    auto result = std::make_shared<std::optional<R>>();
    run(
        kept, [result, step = std::move(step)](Pins& pins) { result->emplace(step(pins)); },
        [result, done = std::move(done)](KeptLock& now) { done(now, std::move(**result)); });
  }
  /// For what is to be done for many VMs: a few at a time, so that whoever asks for one of them
  /// meanwhile does not come last.
  void in_turn(Loop::Callback work);

  [[nodiscard]] auto begin() const { return kept_.begin(); }
  [[nodiscard]] auto end() const { return kept_.end(); }
  [[nodiscard]] std::size_t size() const { return kept_.size(); }

 private:
  void run(KeptLock& kept, std::function<void(Pins&)> step, std::function<void(KeptLock&)> done);
  void go_on_in_turn();
  void watch(KeptLock& kept);
  static void unwatch(KeptLock& kept);
  void finish(KeptLock& kept, Pins pins);

  void close_now(KeptLock& kept);

  Loop& loop_;
  FdStore& fd_store_;
  Events events_;
  std::map<dlmfs::Uuid, std::unique_ptr<KeptLock>> kept_;
  int at_work_ = 0;  ///< steps begun and not done
  std::deque<Loop::Callback> waiting_;
};

}  // namespace guard
