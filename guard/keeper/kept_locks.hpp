#pragma once

#include <atomic>
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

/// A VM's lock that is open here, and the state of the operations on it.
struct KeptLock {
  Vm vm;
  Pins pins = {};
  // Declared after the pins that they watch, so they are destroyed first.
  Loop::Handle lock_watch = nullptr, bell_watch = nullptr;
  bool busy = false;  ///< an operation or a close is running
  std::optional<dlmfs::Level> level_before =
      std::nullopt;             ///< the level before the running operation
  bool bell_requested = false;  ///< the bell was requested meanwhile
  /// For an operation that may acquire the lock: a hook has passed its pins meanwhile.
  std::shared_ptr<std::atomic<bool>> hook_was_faster = nullptr;
  std::vector<std::function<void(bool quiet)>> closing = {};  ///< called after the operation
  std::optional<std::pair<std::chrono::sys_seconds, Origin>> acquired =
      std::nullopt;  ///< once read

  // About its bell and the migrations of its VM:
  bool asking_libvirt = false;             ///< waits for libvirt, to answer the bell
  bool libvirt_busy = false;               ///< a query of libvirt is not answered yet
  Loop::Callback next_question = nullptr;  ///< called when it is answered
  Loop::Handle bell_timer = nullptr, shared_timer = nullptr, late_request_timer = nullptr;
  int migration_generation = 0;  ///< counts hand-overs and their ends; replies of
  ///< libvirt to earlier queries are discarded
  /// How long libvirt took to answer the query that led to the last hand-over.
  std::chrono::milliseconds handed_over_took{0};
  std::chrono::milliseconds migration_poll_interval{1000};  ///< between two queries of libvirt
  std::optional<Loop::Clock::time_point> still_shared_since = std::nullopt;
  bool queued_logged = false;    ///< the request that is queued for the lock is logged
  std::string shared_with = {};  ///< the host that accepted the last hand-over
  int late_requests = 0;  ///< hosts that accepted a hand-over and may still queue a request for PR

  /// Returns the level at which the lock is open, or nullopt. During an operation, returns the
  /// level before it.
  [[nodiscard]] std::optional<dlmfs::Level> level() const;
};

/// The locks that the keeper has open. Each one is also stored in the file descriptor store. Use it
/// only in the thread of the loop. Operations that may sleep run on a worker thread, one at a time
/// for each VM.
class KeptLocks {
 public:
  /// Called for requests of other hosts. They are not reported while an operation runs on the lock.
  struct RequestHandlers {
    std::function<void(const dlmfs::Uuid&)> queued;          ///< a request for the lock itself
    std::function<void(const dlmfs::Uuid&)> bell_requested;  ///< a request for its bell
  };

  /// Called when nothing of a VM is open any more. `quiet`: what Pins::quiet returned before that.
  using OnClosed = std::function<void(bool quiet)>;

  KeptLocks(Loop& loop, FdStore& fd_store) : loop_(loop), fd_store_(fd_store) {}

  /// Sets the functions to call.
  void on(RequestHandlers handlers) { handlers_ = std::move(handlers); }

  [[nodiscard]] FdStore& fd_store() const { return fd_store_; }
  [[nodiscard]] KeptLock* find(const dlmfs::Uuid& uuid) const;
  /// Returns the VM's lock; adds one with nothing open if there is none.
  KeptLock& find_or_add(const Vm& vm);
  /// Closes the pins of the VM and forgets it. Does not change the file descriptor store.
  void forget(const dlmfs::Uuid& uuid);
  /// Replaces what was open by what a hook has opened.
  void put(KeptLock& kept, Pins pins);
  /// Removes the VM's lock from the file descriptor store, forgets the VM, and then calls `closed`.
  /// If an operation runs on the lock, does so after it.
  void close(const dlmfs::Uuid& uuid, OnClosed closed);

  /// Runs `operation` on a worker thread with the VM's pins, then `done` in the thread of the loop.
  /// Does not call `done` if the lock is to be closed by then.
  template <typename R>
  void run_operation(KeptLock& kept, std::function<R(Pins&)> operation,
                     std::function<void(KeptLock&, R)> done) {
    auto result = std::make_shared<std::optional<R>>();
    run(
        kept,
        [result, operation = std::move(operation)](Pins& pins) {
          result->emplace(operation(pins));
        },
        [result, done = std::move(done)](KeptLock& now) { done(now, std::move(**result)); });
  }
  /// Runs `work` in the thread of the loop when fewer than four operations run. For operations on
  /// many VMs, so that requests of hooks do not wait for all of them.
  void run_throttled(Loop::Callback work);

  [[nodiscard]] auto begin() const { return kept_.begin(); }
  [[nodiscard]] auto end() const { return kept_.end(); }
  [[nodiscard]] std::size_t size() const { return kept_.size(); }

 private:
  void run(KeptLock& kept, std::function<void(Pins&)> operation,
           std::function<void(KeptLock&)> done);
  void run_next();
  void watch(KeptLock& kept);
  static void unwatch(KeptLock& kept);
  void finish(KeptLock& kept, Pins pins);

  void close_now(KeptLock& kept);

  Loop& loop_;
  FdStore& fd_store_;
  RequestHandlers handlers_;
  std::map<dlmfs::Uuid, std::unique_ptr<KeptLock>> kept_;
  int busy_count_ = 0;  ///< operations that are running
  std::deque<Loop::Callback> waiting_;
};

}  // namespace guard
