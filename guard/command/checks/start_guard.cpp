#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "guard/command/checks/all.hpp"
#include "guard/system/hidden_processes.hpp"

namespace guard::command {

Finding check_configuration(const std::filesystem::path& file,
                            const Result<conf::Settings>& loaded) {
  if (!loaded) {
    return {"configuration", Health::fail,
            loaded.error().what + "; every start is denied, and below this the defaults count",
            fmt::format("edit {}; then systemctl restart start-guard", file.string())};
  }
  if (loaded->guard.on_cluster_down == conf::OnClusterDown::allow) {
    return {"configuration", Health::warn,
            "on_cluster_down = \"allow\": starts are unguarded while the cluster is down",
            fmt::format("set it to \"deny\" in {}", file.string())};
  }
  std::error_code error;
  bool there = std::filesystem::exists(file, error);
  return {"configuration", Health::ok, there ? file.string() : "none: the defaults"};
}

Finding check_state(const std::filesystem::path& directory) {
  auto fail = [](const std::string& found, const std::string& remedy) {
    return Finding{"state", Health::fail, found + ": every start is denied", remedy};
  };
  auto opened = StateDirectory::open(directory);
  if (!opened) return fail(opened.error().what, fmt::format("ls -ld {}", directory.string()));
  if (::faccessat(AT_FDCWD, directory.c_str(), W_OK, AT_EACCESS) != 0) {
    return fail(system_error("writing to " + directory.string()).what,
                fmt::format("mount -o remount,rw $(findmnt -no TARGET -T {})", directory.string()));
  }
  struct statvfs room = {};
  if (::statvfs(directory.c_str(), &room) == 0 && room.f_blocks > 0 && room.f_bavail == 0) {
    return fail(fmt::format("there is no room left in {}", directory.string()),
                fmt::format("make room (df {})", directory.string()));
  }
  return {"state", Health::ok, directory.string() + " can be written"};
}

Finding check_service(KeeperClient& keeper) {
  auto kept = keeper.kept();
  if (!kept) {
    return {"service", Health::fail,
            "start-guard.service does not answer: locks are not kept open, and no VM can migrate",
            "systemctl enable --now start-guard"};
  }
  return {"service", Health::ok,
          fmt::format("start-guard.service keeps {} lock{}", kept->size(),
                      kept->size() == 1 ? "" : "s")};
}

Finding check_processes(const SystemPaths& paths, std::optional<pid_t> keeper) {
  auto hidden_from = [](std::string_view reader, const std::string& why) {
    return Finding{"processes", Health::fail,
                   fmt::format("hidden from {}, so locks of ended VMs are kept: {}", reader, why),
                   std::string(unhide_processes)};
  };
  if (auto why = why_processes_are_hidden(paths.processes)) {
    return hidden_from("this program", *why);
  }
  if (!keeper) return {"processes", Health::ok, "/proc shows QEMU's"};
  if (auto why = why_processes_are_hidden(paths.processes, std::to_string(*keeper))) {
    return hidden_from("start-guard.service", *why);
  }
  return {"processes", Health::ok, "/proc shows QEMU's, to start-guard.service as well"};
}

}  // namespace guard::command
