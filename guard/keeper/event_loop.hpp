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

/// The real loop: systemd's sd-event, and threads. A thread that sleeps in the kernel for ever
/// costs its crew one member; `run` does not wait for it.
class EventLoop final : public Loop {
 public:
  [[nodiscard]] static Result<std::unique_ptr<EventLoop>> make();
  ~EventLoop() override;

  [[nodiscard]] Handle when_readable(int fd, Callback callback) override;
  [[nodiscard]] Handle after(std::chrono::milliseconds time, Callback callback) override;
  void run_async(WorkerPool pool, Callback work, Callback done) override;
  [[nodiscard]] Clock::time_point now() const override { return Clock::now(); }

  /// As `when_readable`, but time and again while there is something to read.
  [[nodiscard]] Handle while_readable(int fd, Callback callback);
  [[nodiscard]] Handle every(std::chrono::milliseconds time, const Callback& callback);
  /// Until SIGTERM or SIGINT.
  [[nodiscard]] Result<void> run();
  [[nodiscard]] sd_event* event() const { return event_; }

 private:
  struct Task {
    Callback work, done;
  };
  /// Shared with the threads: one may be asleep in the kernel when this loop ends.
  struct Shared {
    std::mutex mutex;
    std::condition_variable more;
    std::deque<Task> waiting[3];  ///< by crew
    std::deque<Callback> done;
    bool ending = false;
    UniqueFd bell;  ///< an eventfd: something is done
  };

  EventLoop(sd_event* event, UniqueFd bell);
  static void work(const std::shared_ptr<Shared>& shared, std::size_t pool);
  [[nodiscard]] Handle watch(int fd, std::uint32_t events, Callback callback);
  void finish();

  sd_event* event_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  Handle finishing_;
};

}  // namespace guard
