#pragma once

#include <deque>
#include <list>
#include <map>

#include "guard/keeper/loop.hpp"

namespace guard {

/// Fake of the event loop. Its time passes only when a test calls `pass`, and it does one thing at
/// a time. run_async's work runs in place, in its turn. Work that would sleep never ends.
class LoopStandIn final : public Loop {
 public:
  [[nodiscard]] Handle when_readable(int fd, Callback callback) override;
  [[nodiscard]] Handle after(std::chrono::milliseconds time, Callback callback) override;
  void run_async(WorkerPool pool, Callback work, Callback done) override;
  [[nodiscard]] Clock::time_point now() const override { return now_; }

  /// Runs the next pending callback or work. Returns false if there is none.
  bool step();
  /// Runs all pending callbacks and work.
  void settle();
  void pass(std::chrono::milliseconds time);
  /// Blocks or unblocks the start of work in this pool.
  void hold(WorkerPool pool, bool held) { held_[pool] = held; }
  /// Returns the amount of work in this pool that has not started.
  [[nodiscard]] std::ptrdiff_t waiting(WorkerPool pool) const;

 private:
  struct Watch {
    int fd;
    Callback callback;
    bool told = false;
  };
  struct Timer {
    Clock::time_point due;
    Callback callback;
  };
  struct Task {
    WorkerPool pool;
    Callback work, done;
  };
  template <typename T>
  class Listed;

  bool step_watch();
  bool step_timer();
  bool step_task();

  Clock::time_point now_;
  std::list<Watch> watches_;
  std::list<Timer> timers_;
  std::deque<Task> tasks_;
  std::map<WorkerPool, bool> held_;
};

}  // namespace guard
