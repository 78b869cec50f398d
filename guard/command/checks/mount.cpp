#include <fmt/format.h>

#include "dlmfs/kernel_mount.hpp"
#include "guard/command/checks/all.hpp"

namespace guard::command {

Finding check_mount(const SystemPaths& paths, const std::filesystem::path& mount) {
  std::string command = fmt::format("mount -t ocfs2_dlmfs ocfs2_dlmfs {}", mount.string());
  auto count = dlmfs::count_mounts(paths.cluster);
  if (!count) return {"mount", Health::fail, count.error().what, "mount -t proc proc /proc"};
  if (*count > 1) {
    return {"mount", Health::fail,
            fmt::format("dlmfs is mounted {} times, and the mounts exclude each other", *count),
            fmt::format("umount all but {} (findmnt -t ocfs2_dlmfs)", mount.string())};
  }
  auto opened = dlmfs::KernelMount::open(mount);
  if (opened) return {"mount", Health::ok, fmt::format("dlmfs is mounted at {}", mount.string())};
  if (opened.error().code == ENOENT) command.insert(0, fmt::format("mkdir {} && ", mount.string()));
  if (*count == 1) command.insert(0, "umount the one elsewhere (findmnt -t ocfs2_dlmfs), then ");
  return {"mount", Health::fail, opened.error().what, command};
}

Finding check_domains(const std::filesystem::path& mount, const Domains& domains,
                      const std::vector<Record>& elsewhere) {
  if (!elsewhere.empty()) {
    return {
        "domains", Health::fail,
        fmt::format("locks of {} VM{} are in '{}', and dlmfs.domain is '{}' now: every start is "
                    "denied",
                    elsewhere.size(), elsewhere.size() == 1 ? "" : "s", elsewhere.front().domain,
                    domains.locks.text()),
        fmt::format("set dlmfs.domain back to '{}', or end these VMs first",
                    elsewhere.front().domain)};
  }
  std::string missing;
  for (const auto& domain : {domains.locks, domains.bells}) {
    std::error_code error;
    if (std::filesystem::is_directory(mount / domain.text(), error)) continue;
    missing += (missing.empty() ? "" : " and ") + domain.text();
  }
  if (missing.empty()) {
    return {"domains", Health::ok,
            fmt::format("joined: {} and {}", domains.locks.text(), domains.bells.text())};
  }
  return {"domains", Health::warn,
          fmt::format("not joined: {}; the first start will, and may wait for it", missing),
          "start-guard join"};
}

}  // namespace guard::command
