#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <vector>

namespace guard::simulation {

using std::chrono::milliseconds;

/// Thrown in a killed fiber, so that what its process had open is closed.
struct Killed {};

/// Runs fibers one at a time. A seed chooses which fiber continues, and when time passes, so the
/// same seed gives the same schedule. Time passes only here.
class Scheduler {
 public:
  using Ready = std::function<bool()>;
  using Id = int;

  explicit Scheduler(std::uint64_t seed);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Creates a fiber. It runs when it is chosen.
  Id spawn(std::function<void()> body);
  /// Makes the fiber throw Killed where it waits, or, if it cannot be interrupted there,
  /// afterwards.
  void kill(Id id);
  /// Does not let the fiber run for this time, as if its process were stopped.
  void stop(Id id, milliseconds time);
  [[nodiscard]] bool ended(Id id) const;
  /// Returns the fiber that runs now, or 0.
  [[nodiscard]] Id current() const;
  [[nodiscard]] milliseconds now() const { return now_; }
  /// Returns a number below `count`.
  [[nodiscard]] std::size_t choose(std::size_t count);

  /// Lets other fibers run.
  void yield();
  /// Waits until `ready` returns true, or for `patience`. Returns whether it was ready.
  bool wait_until(const Ready& ready, std::optional<milliseconds> patience = std::nullopt);
  /// The same for a process that sleeps uninterruptibly in the kernel: it ends only afterwards.
  void wait_uninterruptibly(const Ready& ready);
  /// The same in a destructor: never throws.
  bool wait_in_destructor(const Ready& ready, std::optional<milliseconds> patience = std::nullopt);
  void sleep(milliseconds time);

  /// Kills all fibers, and waits until they have ended.
  void end();

  /// Lets one fiber run until it waits again. Returns false if none can ever run.
  bool step();

 private:
  struct Fiber;
  enum class Interruptible { yes, no };
  bool wait(const Ready& ready, std::optional<milliseconds> patience, Interruptible interruptible);
  [[nodiscard]] std::vector<Fiber*> runnable();
  void run(Fiber& fiber);
  static void enter();

  std::mt19937_64 random_;
  milliseconds now_{0};
  Id last_ = 0;
  bool ending_ = false;  ///< nothing is waited for any more
  std::list<std::unique_ptr<Fiber>> fibers_;
  Fiber* current_ = nullptr;
};

}  // namespace guard::simulation
