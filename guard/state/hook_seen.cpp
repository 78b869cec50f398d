#include "guard/state/hook_seen.hpp"

#include <sys/stat.h>

namespace guard {

void HookSeen::note(const StateDirectory& directory, const char* file, pid_t daemon) {
  directory.set_times(file, {.accessed = {daemon, 0}, .modified = {0, UTIME_NOW}});
}

std::optional<HookSeen> HookSeen::read(const StateDirectory& directory, const char* file) {
  auto times = directory.times(file);
  if (!times) return std::nullopt;
  return HookSeen{static_cast<pid_t>(times->accessed.tv_sec),
                  std::chrono::sys_time<std::chrono::nanoseconds>(
                      std::chrono::seconds(times->modified.tv_sec) +
                      std::chrono::nanoseconds(times->modified.tv_nsec))};
}

}  // namespace guard
