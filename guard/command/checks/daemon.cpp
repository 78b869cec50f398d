#include "guard/command/checks/daemon.hpp"

#include <csignal>
#include <fstream>
#include <sys/syscall.h>
#include <unistd.h>

#include "guard/system/file.hpp"

namespace guard::command {
namespace {

using std::chrono::nanoseconds;

std::filesystem::path process_file(pid_t pid, const char* name) {
  return std::filesystem::path("/proc") / std::to_string(pid) / name;
}

/// Returns whether the process catches SIGHUP. The signal would kill a daemon that has only just
/// started.
bool catches_hangup(pid_t pid) {
  std::ifstream status(process_file(pid, "status"));
  constexpr std::string_view caught = "SigCgt:\t";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(caught)) continue;
    constexpr int hexadecimal = 16;
    return (std::stoull(line.substr(caught.size()), nullptr, hexadecimal) >> (SIGHUP - 1)) & 1U;
  }
  return false;
}

}  // namespace

std::string command_to_start_daemon(const SystemPaths& paths) {
  std::error_code error;
  auto exists = [&](const std::filesystem::path& file) {
    return std::filesystem::exists(file, error);
  };
  bool modular = exists(paths.daemons / "virtqemud");
  if (modular && exists(paths.daemons / "libvirtd")) {
    // Both are installed. virtproxyd also creates libvirt-sock, but not without virtqemud.
    modular = exists(paths.sockets / "virtqemud-sock") || !exists(paths.sockets / "libvirt-sock");
  }
  return modular ? "systemctl start virtqemud" : "systemctl start libvirtd";
}

HookSeenByDaemon HookSeenByDaemon::read(const StateDirectory& directory) {
  return {HookSeen::read(directory, hook_called_file),
          HookSeen::read(directory, hook_reloaded_file)};
}

std::string why_hook_loaded(const Daemon& daemon, const HookFile& hook,
                            const HookSeenByDaemon& marks) {
  const timespec& changed = hook.status.st_ctim;
  auto put_there = std::chrono::sys_time<nanoseconds>(std::chrono::seconds(changed.tv_sec) +
                                                      nanoseconds(changed.tv_nsec));
  if (daemon.started >= put_there) return "started after the hook was installed";
  auto of_daemon = [&](const std::optional<HookSeen>& mark) {
    return mark && mark->daemon == daemon.pid && mark->time >= daemon.started;
  };
  if (of_daemon(marks.called)) return "has run the hook";
  if (of_daemon(marks.told)) return "was told to look for it";
  return "";
}

bool reload_daemon(const Daemon& daemon) {
  // Check the name after opening the pidfd: a later process may have reused the PID.
  UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, daemon.pid, 0)));
  if (!process || first_line(process_file(daemon.pid, "comm")) != daemon.name) return false;
  if (!catches_hangup(daemon.pid)) return false;
  return ::syscall(SYS_pidfd_send_signal, process.get(), SIGHUP, nullptr, 0) == 0;
}

}  // namespace guard::command
