#include "guard/command/check/daemon.hpp"

#include <charconv>
#include <ctime>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/process.hpp"

namespace guard::command {
namespace {

using std::chrono::nanoseconds;

nanoseconds now_by(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return std::chrono::seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

std::chrono::sys_time<nanoseconds> start_of(const Process& process) {
  const auto tick = nanoseconds(std::chrono::seconds(1)) / ::sysconf(_SC_CLK_TCK);
  nanoseconds boot = now_by(CLOCK_REALTIME) - now_by(CLOCK_BOOTTIME);
  return std::chrono::sys_time<nanoseconds>(boot + tick * static_cast<long>(process.start_time));
}

/// Root's; one of a user's session runs hooks as that user, who takes no cluster locks.
bool of_the_system(const std::filesystem::path& process) {
  struct stat status = {};
  return ::stat(process.c_str(), &status) == 0 && status.st_uid == ::geteuid();
}

std::optional<pid_t> pid_in(const std::string& name) {
  pid_t pid = 0;
  auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
  if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
  return pid;
}

}  // namespace

std::vector<Daemon> libvirts_daemons(const Places& places) {
  std::vector<Daemon> daemons;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(places.processes, error)) {
    auto pid = pid_in(entry.path().filename());
    auto name = pid ? first_line(entry.path() / "comm") : std::nullopt;
    if (name != "libvirtd" && name != "virtqemud") continue;
    auto process = process_of(*pid, places.processes);
    if (process && of_the_system(entry.path())) {
      daemons.push_back({*name, *pid, start_of(*process)});
    }
  }
  return daemons;
}

}  // namespace guard::command
