#pragma once

#include <deque>
#include <list>
#include <set>

#include "guard/keeper/keeper.hpp"
#include "guard/system/abandonable_call.hpp"
#include "tests/dlmfs/stand_in.hpp"
#include "tests/guard/keeper/fd_store_stand_in.hpp"
#include "tests/simulation/scheduler.hpp"

/// The processes of one host: how they use dlmfs, fork, and run an event loop. Each is one or more
/// fibers.
namespace guard::simulation {

/// A host's dlmfs for fibers: other fibers run before each call, and a call that sleeps in the
/// kernel waits uninterruptibly. The keeper's loop uses it without giving way, as its thread is one
/// of many.
class SleepingMount final : public dlmfs::Mount {
 public:
  /// The calls of this host that sleep, by domain and name: the kernel lets one through at a time.
  using Asleep = std::set<std::pair<std::string, std::string>>;

  /// `hangs`: called if an unlink hangs because a call of this host for the same lock sleeps.
  SleepingMount(dlmfs::StandInHost& host, Scheduler& scheduler, Asleep& asleep, bool may_wait,
                std::function<void()> hangs)
      : host_(host),
        scheduler_(scheduler),
        asleep_(asleep),
        may_wait_(may_wait),
        hangs_(std::move(hangs)) {}

  Result<void> join(const dlmfs::DomainName& d) override;
  Result<void> leave(const dlmfs::DomainName& d) override;
  Result<bool> exists(const dlmfs::DomainName& d, const dlmfs::Name& n) override;
  Result<dlmfs::OpenLock> trylock(const dlmfs::DomainName& d, const dlmfs::Name& n,
                                  dlmfs::Level level) override;
  Result<dlmfs::OpenLock> queue(const dlmfs::DomainName& d, const dlmfs::Name& n,
                                dlmfs::Level level) override;
  dlmfs::OwnRequest own_request(const dlmfs::DomainName& d, const dlmfs::Name& n) override;
  Result<void> unlink(const dlmfs::DomainName& d, const dlmfs::Name& n) override;
  Result<dlmfs::Lvb> read_lvb(const dlmfs::OpenLock& lock) override;
  Result<void> write_lvb(const dlmfs::OpenLock& lock, const dlmfs::Lvb& value) override;
  Result<std::vector<dlmfs::LockName>> list(const dlmfs::DomainName& d) override;

  /// The same as `queue`, but no other fiber runs before it.
  Result<dlmfs::OpenLock> queue_at_once(const dlmfs::DomainName& d, const dlmfs::Name& n,
                                        dlmfs::Level level);

 private:
  void give_way();
  Result<dlmfs::OpenLock> opened(const dlmfs::DomainName& d, const dlmfs::Name& n,
                                 const std::function<Result<dlmfs::OpenLock>()>& call);

  dlmfs::StandInHost& host_;
  Scheduler& scheduler_;
  Asleep& asleep_;
  bool may_wait_;
  std::function<void()> hangs_;
};

/// Runs abandonable calls in a fiber each. A fiber cannot be copied as fork(2) copies a process, so
/// the hook's own fiber stays until the child has ended; `left` is called when its process would
/// end.
class ForkingFibers final : public CallRunner {
 public:
  using Left = std::function<void()>;
  ForkingFibers(Scheduler& scheduler, std::function<void(Scheduler::Id)> forked, Left left)
      : scheduler_(scheduler), forked_(std::move(forked)), left_(std::move(left)) {}
  std::unique_ptr<PendingCall> start(AbandonableCall& call) override;

 private:
  Scheduler& scheduler_;
  std::function<void(Scheduler::Id)> forked_;
  Left left_;
};

/// The keeper's loop, with a fiber for each call on a worker thread.
class FiberLoop final : public Loop {
 public:
  /// `changes`: returns a number that changes whenever a descriptor may have become readable.
  FiberLoop(Scheduler& scheduler, std::function<void(Scheduler::Id)> started,
            std::function<std::uint64_t()> changes)
      : scheduler_(scheduler), started_(std::move(started)), changes_(std::move(changes)) {}
  /// A callback may own a registration of this loop.
  ~FiberLoop() override { *open_ = false; }
  FiberLoop(const FiberLoop&) = delete;
  FiberLoop& operator=(const FiberLoop&) = delete;

  [[nodiscard]] Handle when_readable(int fd, Callback callback) override;
  [[nodiscard]] Handle after(milliseconds time, Callback callback) override;
  void run_async(WorkerPool pool, Callback work, Callback done) override;
  [[nodiscard]] Clock::time_point now() const override {
    return Clock::time_point(scheduler_.now());
  }

  /// Returns whether a callback is due.
  [[nodiscard]] bool ready();
  /// Calls one that is due.
  void run_one();
  /// Waits for callbacks and calls them, until the fiber is killed.
  void run();

 private:
  struct Watch {
    int fd;
    Callback callback;
    bool told = false;
    std::optional<std::uint64_t> polled_at = std::nullopt;  ///< what `changes` returned then
    bool readable = false;
  };
  struct Timer {
    milliseconds due;
    Callback callback;
  };
  template <typename T>
  class Listed;
  /// Returns the callback that is due, and takes note that it is called.
  [[nodiscard]] std::optional<Callback> take();
  [[nodiscard]] bool readable(Watch& watch);

  Scheduler& scheduler_;
  std::function<void(Scheduler::Id)> started_;
  std::function<std::uint64_t()> changes_;
  std::shared_ptr<bool> open_ = std::make_shared<bool>(true);
  std::list<Watch> watches_;
  std::list<Timer> timers_;
  bool timers_changed_ = false;  ///< the loop must compute anew how long it waits
  std::shared_ptr<std::deque<Callback>> finished_ = std::make_shared<std::deque<Callback>>();
};

}  // namespace guard::simulation
