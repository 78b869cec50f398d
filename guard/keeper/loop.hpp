#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace guard {

/// The event loop of the keeper. It calls all callbacks in one thread, the thread of the loop.
class Loop {
 public:
  using Callback = std::function<void()>;
  using Clock = std::chrono::steady_clock;

  /// Ends the registration when it is destroyed.
  class Registration {
   public:
    virtual ~Registration() = default;
  };
  using Handle = std::unique_ptr<Registration>;

  /// The worker threads for calls that may sleep. A call that sleeps in one pool does not delay the
  /// others.
  enum class WorkerPool { cluster, libvirt, fd_store };

  virtual ~Loop() = default;

  /// Calls `callback` if there is something to read, and again each time more arrives
  /// (edge-triggered). Destroy the handle before the descriptor is closed.
  [[nodiscard]] virtual Handle when_readable(int fd, Callback callback) = 0;
  /// Calls `callback` once, after `time`.
  [[nodiscard]] virtual Handle after(std::chrono::milliseconds time, Callback callback) = 0;
  /// Runs `work` on the next free worker thread of the pool, then `done` in the thread of the loop.
  /// Does not block. Callable from the thread of the loop.
  virtual void run_async(WorkerPool pool, Callback work, Callback done) = 0;
  [[nodiscard]] virtual Clock::time_point now() const = 0;
};

}  // namespace guard
