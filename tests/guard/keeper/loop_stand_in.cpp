#include "tests/guard/keeper/loop_stand_in.hpp"

#include <algorithm>
#include <poll.h>
#include <stdexcept>

#include "tests/guard/fake_host.hpp"

namespace guard {

template <typename T>
class LoopStandIn::Listed final : public Registration {
 public:
  Listed(std::list<T>& list, T entry) : list_(list), place_(list.insert(list.end(), entry)) {}
  ~Listed() override { list_.erase(place_); }
  Listed(const Listed&) = delete;
  Listed& operator=(const Listed&) = delete;

 private:
  std::list<T>& list_;
  typename std::list<T>::iterator place_;
};

Loop::Handle LoopStandIn::when_readable(int fd, Callback callback) {
  return std::make_unique<Listed<Watch>>(watches_, Watch{fd, std::move(callback)});
}

Loop::Handle LoopStandIn::after(std::chrono::milliseconds time, Callback callback) {
  return std::make_unique<Listed<Timer>>(timers_, Timer{now_ + time, std::move(callback)});
}

void LoopStandIn::run_async(WorkerPool pool, Callback work, Callback done) {
  tasks_.push_back({pool, std::move(work), std::move(done)});
}

std::ptrdiff_t LoopStandIn::waiting(WorkerPool pool) const {
  return std::count_if(tasks_.begin(), tasks_.end(),
                       [pool](const Task& task) { return task.pool == pool; });
}

bool LoopStandIn::step_watch() {
  for (Watch& watch : watches_) {
    pollfd ready{watch.fd, POLLIN, 0};
    bool readable = ::poll(&ready, 1, 0) == 1 && (ready.revents & POLLNVAL) == 0;
    if (!readable) watch.told = false;
    if (!readable || watch.told) continue;
    watch.told = true;
    auto callback = watch.callback;  // it may destroy the watch
    callback();
    return true;
  }
  return false;
}

bool LoopStandIn::step_timer() {
  auto due = std::find_if(timers_.begin(), timers_.end(),
                          [this](const Timer& timer) { return timer.due <= now_; });
  if (due == timers_.end()) return false;
  due->due = Clock::time_point::max();
  auto callback = due->callback;
  callback();
  return true;
}

bool LoopStandIn::step_task() {
  auto next = std::find_if(tasks_.begin(), tasks_.end(),
                           [this](const Task& task) { return !held_[task.pool]; });
  if (next == tasks_.end()) return false;
  Task task = std::move(*next);
  tasks_.erase(next);
  try {
    task.work();
  } catch (const Asleep&) {
    return true;
  }
  task.done();
  return true;
}

bool LoopStandIn::step() {
  return step_watch() || step_task() || step_timer();
}

void LoopStandIn::settle() {
  for (int steps = 0; step(); ++steps) {
    if (steps > 10'000) throw std::logic_error("the keeper does not come to rest");
  }
}

void LoopStandIn::pass(std::chrono::milliseconds time) {
  auto end = now_ + time;
  settle();
  for (;;) {
    auto next = std::min_element(timers_.begin(), timers_.end(),
                                 [](const auto& a, const auto& b) { return a.due < b.due; });
    if (next == timers_.end() || next->due > end) break;
    now_ = std::max(now_, next->due);
    settle();
  }
  now_ = end;
  settle();
}

}  // namespace guard
