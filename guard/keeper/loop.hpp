#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace guard {

/// What the keeper waits for. Everything it is told, it is told in one thread.
class Loop {
 public:
  using Callback = std::function<void()>;
  using Clock = std::chrono::steady_clock;

  /// Ends what it stands for when it goes.
  class Registration {
   public:
    virtual ~Registration() = default;
  };
  using Handle = std::unique_ptr<Registration>;

  /// Those who do what may sleep: one crew's sleep is no other's.
  enum class WorkerPool { cluster, libvirt, fd_store };

  virtual ~Loop() = default;

  /// At once if there is something to read, then each time more comes. The handle must go before
  /// the descriptor is closed.
  [[nodiscard]] virtual Handle when_readable(int fd, Callback callback) = 0;
  [[nodiscard]] virtual Handle after(std::chrono::milliseconds time, Callback callback) = 0;
  /// `work` beside the loop, as soon as one of the crew is free; then `done` in it.
  virtual void run_async(WorkerPool pool, Callback work, Callback done) = 0;
  [[nodiscard]] virtual Clock::time_point now() const = 0;
};

}  // namespace guard
