#include "guard/host/libvirt_daemons.hpp"

#include <algorithm>
#include <ctime>
#include <sys/stat.h>
#include <unistd.h>

#include "guard/host/libvirt_job.hpp"
#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"

namespace guard {
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

/// Returns whether this is a system daemon: its process belongs to root (in tests: to the user who
/// runs them). The daemon of a user's session runs hooks as that user, who acquires no cluster
/// locks.
bool of_the_system(const std::filesystem::path& process) {
  struct stat status = {};
  return ::stat(process.c_str(), &status) == 0 && status.st_uid == ::geteuid();
}

/// Returns the name of the driver's daemon, for hosts on which libvirt has one daemon for each
/// driver.
std::string_view daemon_of(std::string_view driver) {
  if (driver == "lxc") return "virtlxcd";
  return driver == "libxl" ? "virtxend" : "virtqemud";
}

}  // namespace

Result<std::vector<Daemon>> libvirt_daemons(const std::filesystem::path& proc,
                                            std::string_view driver) {
  auto entries = list_directory(proc);
  if (!entries) return fail(std::move(entries).error());
  std::vector<Daemon> daemons;
  for (const std::string& entry : *entries) {
    auto pid = whole_number<pid_t>(entry);
    auto folder = proc / entry;
    auto name = pid ? first_line(folder / "comm") : std::nullopt;
    if (name != "libvirtd" && name != daemon_of(driver)) continue;
    auto process = process_of(*pid, proc);
    if (process && of_the_system(folder)) {
      daemons.push_back({*name, *pid, start_of(*process)});
    }
  }
  return daemons;
}

bool start_abandoned(const Vm& vm, const ProcessPaths& paths) {
  auto status = libvirt_status(vm, paths.pid_files);
  if (!status || status->pid != 0) return false;
  auto daemons = libvirt_daemons(paths.processes, vm.driver);
  if (!daemons || daemons->empty()) return false;
  bool in_progress = std::any_of(daemons->begin(), daemons->end(), [&](const Daemon& daemon) {
    return daemon.started <= status->written;
  });
  return !in_progress && find_qemu(vm.uuid, paths.processes).liveness == Liveness::dead;
}

}  // namespace guard
