#include "dlmfs/cluster.hpp"

#include <set>
#include <string>
#include <string_view>

#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"

namespace dlmfs {
namespace {

std::string_view first_word(std::string_view text) {
  return text.substr(0, text.find_first_of(" \t\n"));
}

constexpr std::string_view dlmfs_type = "ocfs2_dlmfs";

/// Returns how many lines of /proc/self/mounts are about dlmfs: DEVICE PLACE TYPE ….
std::size_t dlmfs_lines(std::string_view mounts) {
  std::size_t count = 0;
  while (!mounts.empty()) {
    std::string_view line = guard::take_until('\n', mounts);
    for (int skipped = 0; skipped < 2; ++skipped)
      std::ignore = guard::take_until(' ', line);
    if (first_word(line) == dlmfs_type) ++count;
  }
  return count;
}

/// Returns the devices of the dlmfs mounts in a mountinfo table. A bind mount has the same device
/// as its original and is the same dlmfs. A second mount has another device.
std::set<std::string_view> dlmfs_devices(std::string_view mountinfo) {
  std::set<std::string_view> devices;
  while (!mountinfo.empty()) {
    std::string_view line = guard::take_until('\n', mountinfo);
    std::size_t separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    if (first_word(line.substr(separator + 3)) != dlmfs_type) continue;
    for (int skipped = 0; skipped < 2; ++skipped)
      std::ignore = guard::take_until(' ', line);
    devices.insert(first_word(line));
  }
  return devices;
}

Result<void> check_mounts(const ClusterPaths& paths) {
  auto count = count_mounts(paths);
  if (!count) return fail(std::move(count).error());
  if (*count == 1) return {};
  if (*count == 0) {
    return fail(Error{ENODEV, "dlmfs is not mounted: mount -t ocfs2_dlmfs ocfs2_dlmfs /dlm"});
  }
  return fail(Error{
      EBUSY, fmt::format("dlmfs is mounted {} times, and the mounts exclude each other: umount all "
                         "but one (see findmnt -t ocfs2_dlmfs)",
                         *count)});
}

Result<void> check_stack(const std::string& stack) {
  auto text = guard::read_file(stack);
  if (!text) return fail(std::move(text).error().in("the ocfs2 cluster stack is not loaded"));
  if (first_word(*text) == "o2cb") return {};
  return fail(
      Error{EPROTONOSUPPORT, fmt::format("the cluster stack is '{}', not o2cb: echo o2cb > {}",
                                         first_word(*text), stack)});
}

Result<void> check_heartbeat(const ClusterPaths& paths, bool require_global) {
  auto folder = cluster_folder(paths);
  if (!folder) {
    return fail(Error{ENODEV, "no o2cb cluster is configured: systemctl restart o2cb"});
  }
  if (!require_global) return {};
  auto mode = guard::read_file(*folder + "/heartbeat/mode");
  if (!mode) return fail(std::move(mode).error().in("asking for the heartbeat mode"));
  if (first_word(*mode) == "global") return {};
  return fail(Error{
      EPROTONOSUPPORT,
      fmt::format("the heartbeat of cluster {0} is {1}, not global, and can vanish under a held "
                  "lock: o2cb heartbeat-mode {0} global, then restart the cluster on every host",
                  folder->substr(folder->rfind('/') + 1), first_word(*mode))});
}

}  // namespace

std::optional<std::string> cluster_folder(const ClusterPaths& paths) {
  auto names = guard::list_directory(paths.clusters);
  if (!names || names->empty()) return std::nullopt;
  return paths.clusters + "/" + names->front();
}

Result<std::size_t> count_mounts(const ClusterPaths& paths) {
  auto table = guard::read_file(paths.mounts);
  if (!table) return fail(std::move(table).error());
  std::size_t lines = dlmfs_lines(*table);
  if (lines <= 1) return lines;
  // Only this table tells a bind mount from a second mount. The kernel needs almost twice as long
  // for it, and every start waits for that.
  auto details = guard::read_file(paths.mount_details);
  if (!details) return fail(std::move(details).error());
  return dlmfs_devices(*details).size();
}

Result<void> check_cluster(const ClusterPaths& paths, bool require_global_heartbeat) {
  if (auto mounts = check_mounts(paths); !mounts) return mounts;
  if (auto stack = check_stack(paths.stack); !stack) return stack;
  return check_heartbeat(paths, require_global_heartbeat);
}

}  // namespace dlmfs
