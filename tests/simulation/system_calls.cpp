#include "tests/simulation/system_calls.hpp"

#include <cerrno>
#include <cstdarg>
#include <ctime>
#include <dlfcn.h>
#include <fcntl.h>
#include <map>
#include <poll.h>
#include <stdexcept>
#include <sys/syscall.h>
#include <unistd.h>

namespace guard::simulation {
namespace {

std::uint64_t closed = 0, ended = 0;
Scheduler* time_source = nullptr;
std::map<pid_t, SimulatedProcess*> processes;

/// Returns libc's function, or the sanitizer's.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

bool in_fiber() {
  return time_source != nullptr && time_source->current() != 0;
}

bool shows_time(clockid_t clock) {
  return clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME ||
         clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
}

timespec now_on(clockid_t clock) {
  constexpr std::chrono::seconds epoch_to_start{1'800'000'000};
  constexpr std::chrono::seconds boot_to_start{10'000};
  bool wall = clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE;
  milliseconds now = (wall ? epoch_to_start : boot_to_start) + time_source->now();
  auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return {seconds.count(), std::chrono::nanoseconds(now - seconds).count()};
}

}  // namespace

std::uint64_t closed_descriptors() {
  return closed;
}

std::uint64_t ended_processes() {
  return ended;
}

SimulatedTime::SimulatedTime(Scheduler& scheduler) {
  time_source = &scheduler;
}

SimulatedTime::~SimulatedTime() {
  time_source = nullptr;
}

SimulatedProcess::SimulatedProcess(pid_t pid) : pid_(pid) {
  int sides[2];
  if (::pipe2(sides, O_CLOEXEC) != 0) throw std::runtime_error("making a pipe");
  pidfd_ = UniqueFd(sides[0]);
  alive_ = UniqueFd(sides[1]);
  processes[pid] = this;
}

/// The pidfds become readable: the writing side of their pipe is closed.
SimulatedProcess::~SimulatedProcess() {
  processes.erase(pid_);
  ++ended;
}

int open_pidfd(pid_t pid) {
  auto found = processes.find(pid);
  if (found != processes.end()) return ::fcntl(found->second->pidfd_.get(), F_DUPFD_CLOEXEC, 0);
  errno = ESRCH;
  return -1;
}

}  // namespace guard::simulation

using namespace guard::simulation;

extern "C" {

int close(int fd) {
  static auto* const libc = next<int(int)>("close");
  ++closed;
  return libc(fd);
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static auto* const libc = next<int(clockid_t, timespec*)>("clock_gettime");
  if (time_source == nullptr || !shows_time(clock)) return libc(clock, time);
  *time = now_on(clock);
  return 0;
}

int nanosleep(const timespec* time, timespec* left) {
  static auto* const libc = next<int(const timespec*, timespec*)>("nanosleep");
  if (!in_fiber()) return libc(time, left);
  time_source->sleep(std::chrono::ceil<milliseconds>(std::chrono::seconds(time->tv_sec) +
                                                     std::chrono::nanoseconds(time->tv_nsec)));
  return 0;
}

int poll(pollfd* descriptors, nfds_t count, int patience) {
  static auto* const libc = next<int(pollfd*, nfds_t, int)>("poll");
  if (patience == 0 || !in_fiber()) return libc(descriptors, count, patience);
  std::optional<milliseconds> longest;
  if (patience > 0) longest.emplace(patience);
  time_source->wait_until([=] { return libc(descriptors, count, 0) != 0; }, longest);
  return libc(descriptors, count, 0);
}

__attribute__((no_sanitize_address)) long syscall(long number, ...) noexcept {
  static auto* const libc = next<long(long, long, long, long, long, long, long)>("syscall");
  std::va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a)
    argument = va_arg(list, long);
  va_end(list);
  bool simulated = number == SYS_pidfd_open && static_cast<pid_t>(a[0]) >= first_pid;
  if (simulated) return open_pidfd(static_cast<pid_t>(a[0]));
  return libc(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

}  // extern "C"
