#pragma once

#include <cstdint>
#include <sys/types.h>

#include "guard/system/unique_fd.hpp"
#include "tests/simulation/scheduler.hpp"

/// System calls of this program that the simulation replaces or observes: the program defines the
/// functions of libc, so the guard's code and the C++ library call them too.
namespace guard::simulation {

/// Returns how many descriptors this program has closed.
[[nodiscard]] std::uint64_t closed_descriptors();

/// While this object exists, all clocks show the scheduler's time, and a fiber that calls poll or
/// nanosleep sleeps in that time.
class SimulatedTime {
 public:
  explicit SimulatedTime(Scheduler& scheduler);
  ~SimulatedTime();
  SimulatedTime(const SimulatedTime&) = delete;
  SimulatedTime& operator=(const SimulatedTime&) = delete;
};

/// Returns how many simulated processes have ended. Their pidfds become readable only then.
[[nodiscard]] std::uint64_t ended_processes();

/// A process that pidfd_open finds until the object is destroyed.
class SimulatedProcess {
 public:
  explicit SimulatedProcess(pid_t pid);
  ~SimulatedProcess();
  SimulatedProcess(const SimulatedProcess&) = delete;
  SimulatedProcess& operator=(const SimulatedProcess&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  friend int open_pidfd(pid_t pid);
  pid_t pid_;
  UniqueFd pidfd_, alive_;  ///< the two sides of a pipe
};

/// The pids of simulated processes begin here. No process of the kernel has such a pid
/// (PID_MAX_LIMIT in its include/linux/threads.h).
inline constexpr pid_t first_pid = 1 << 23;

}  // namespace guard::simulation
