#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <systemd/sd-event.h>
#include <thread>
#include <vector>

#include "guard/keeper/loop.hpp"
#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

namespace guard {

/// The implementation: systemd's sd-event, and eight threads for each WorkerPool. A thread that
/// sleeps in the kernel for ever is lost to its pool; `run` does not wait for it.
class EventLoop final : public Loop {
 public:
  /// Creates the loop and its threads. Blocks the signals SIGTERM and SIGINT in the calling thread
  /// and the threads it creates, so call this before the process creates any other thread.
  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> make();
  ~EventLoop() override;

  [[nodiscard]] Handle when_readable(int fd, Callback callback) override;
  [[nodiscard]] Handle after(std::chrono::milliseconds time, Callback callback) override;
  void run_async(WorkerPool pool, Callback work, Callback done) override;
  [[nodiscard]] Clock::time_point now() const override { return Clock::now(); }

  /// As `when_readable`, but level-triggered: calls `callback` again as long as there is something
  /// to read.
  [[nodiscard]] Handle while_readable(int fd, Callback callback);
  /// As `while_readable`, for what poll(2) calls exceptional: a change of /proc/self/mountinfo.
  [[nodiscard]] Handle while_exceptional(int fd, Callback callback);
  /// Runs `callback` in the thread of the loop. Does not block. Any thread may call it.
  void post(Callback callback) { shared_->finished(std::move(callback)); }
  /// Runs the loop in this thread until SIGTERM or SIGINT, or until sd_event_loop(3) fails.
  [[nodiscard]] Result<void> run();
  [[nodiscard]] sd_event* event() const { return event_; }

 private:
  struct Task {
    Callback work, done;
  };
  /// Shared with the threads: one may sleep in the kernel when this loop is destroyed.
  struct Shared {
    struct Pool {
      std::condition_variable more;
      std::deque<Task> waiting;
    };
    std::mutex mutex;
    Pool pools[3];
    std::deque<Callback> done;
    bool ending = false;
    UniqueFd bell;  ///< an eventfd, readable if `done` is not empty

    void finished(Callback callback);
  };

  EventLoop(sd_event* event, UniqueFd bell);
  static void work(const std::shared_ptr<Shared>& shared, std::size_t pool_number);
  [[nodiscard]] Handle watch(int fd, std::uint32_t epoll_events, Callback callback);
  void finish();

  sd_event* event_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Handle finishing_;
};

}  // namespace guard
