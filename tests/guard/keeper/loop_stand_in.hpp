#pragma once

#include <deque>
#include <list>
#include <map>

#include "guard/keeper/loop.hpp"

namespace guard {

/// A loop whose time passes when a test says so, and which does one thing at a time. What works
/// beside it works in place, in its turn; what would sleep never comes back.
class LoopStandIn final : public Loop {
 public:
  [[nodiscard]] Handle when_readable(int fd, Callback callback) override;
  [[nodiscard]] Handle after(std::chrono::milliseconds time, Callback callback) override;
  void run_async(WorkerPool pool, Callback work, Callback done) override;
  [[nodiscard]] Clock::time_point now() const override { return now_; }

  /// The next thing that is due. False: nothing is.
  bool step();
  /// Everything that is due.
  void settle();
  void pass(std::chrono::milliseconds time);
  /// From now on work of this crew does not begin, or does again.
  void hold(WorkerPool pool, bool held) { held_[pool] = held; }
  /// How much work of this crew has not begun.
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
