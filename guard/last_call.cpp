#include "guard/last_call.hpp"

#include <sys/stat.h>

namespace guard {

void LastCall::note(const StateDirectory& directory, pid_t daemon) {
  directory.set_times(file, {.accessed = {daemon, 0}, .modified = {0, UTIME_NOW}});
}

std::optional<LastCall> LastCall::read(const StateDirectory& directory) {
  auto times = directory.times(file);
  if (!times) return std::nullopt;
  return LastCall{static_cast<pid_t>(times->accessed.tv_sec),
                  std::chrono::sys_time<std::chrono::nanoseconds>(
                      std::chrono::seconds(times->modified.tv_sec) +
                      std::chrono::nanoseconds(times->modified.tv_nsec))};
}

}  // namespace guard
