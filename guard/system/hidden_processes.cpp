#include "guard/system/hidden_processes.hpp"

#include <algorithm>
#include <cstdint>
#include <linux/capability.h>
#include <vector>

#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"

namespace guard {
namespace {

std::vector<std::string_view> split(std::string_view text, std::string_view separators) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    std::size_t end = std::min(text.size(), text.find_first_of(separators));
    if (end > 0) parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return parts;
}

/// The options of one mount of proc.
struct ProcMount {
  std::string_view hidepid = "off";
  gid_t gid = 0;

  [[nodiscard]] bool hides() const { return hidepid != "off" && hidepid != "0"; }
  /// Returns true if members of `gid` see all processes.
  [[nodiscard]] bool has_group() const { return hidepid != "ptraceable" && hidepid != "4"; }
};

/// Returns the mount of proc at /proc. If several are stacked there, returns one that hides
/// processes, if there is one, without checking which mount is on top.
Result<ProcMount> proc_mount(std::string_view mountinfo) {
  std::optional<ProcMount> found;
  for (std::string_view line : split(mountinfo, "\n")) {
    std::size_t separator = line.find(" - ");
    if (separator == std::string_view::npos) continue;
    constexpr std::size_t mount_point = 4;
    auto mount = split(line.substr(0, separator), " ");
    auto file_system = split(line.substr(separator + 3), " ");
    if (mount.size() <= mount_point || mount[mount_point] != "/proc") continue;
    if (file_system.size() < 3 || file_system[0] != "proc") continue;
    ProcMount now;
    for (std::string_view option : split(file_system[2], ",")) {
      constexpr std::string_view hidepid = "hidepid=";
      constexpr std::string_view gid = "gid=";
      if (option.starts_with(hidepid)) now.hidepid = option.substr(hidepid.size());
      if (option.starts_with(gid)) {
        now.gid = whole_number<gid_t>(option.substr(gid.size())).value_or(static_cast<gid_t>(-1));
      }
    }
    if (!found || now.hides()) found = now;
  }
  if (!found) return fail(Error{ENODEV, "the mount table has no /proc"});
  return *found;
}

/// Returns the words after `key` in a line of /proc/PID/status, or an empty list if there is no
/// such line.
std::vector<std::string_view> words_of(std::string_view status, std::string_view key) {
  for (std::string_view line : split(status, "\n")) {
    if (line.starts_with(key)) return split(line.substr(key.size()), " \t");
  }
  return {};
}

bool may_ptrace_all(std::string_view status) {
  auto words = words_of(status, "CapEff:");
  constexpr int hexadecimal = 16;
  auto effective =
      words.empty() ? std::nullopt : whole_number<std::uint64_t>(words[0], hexadecimal);
  return effective && ((*effective >> CAP_SYS_PTRACE) & 1U) != 0;
}

/// Returns true if the process is in the group, by its file system group or a supplementary group,
/// as the kernel's in_group_p() does.
bool in_group(std::string_view status, gid_t gid) {
  constexpr std::size_t for_files = 3;
  auto ids = words_of(status, "Gid:");
  auto groups = words_of(status, "Groups:");
  if (ids.size() > for_files) groups.push_back(ids[for_files]);
  return std::any_of(groups.begin(), groups.end(),
                     [&](std::string_view group) { return whole_number<gid_t>(group) == gid; });
}

}  // namespace

std::optional<std::string> why_processes_are_hidden(const std::filesystem::path& proc,
                                                    std::string_view of) {
  auto mountinfo = read_file(proc / of / "mountinfo");
  if (!mountinfo) return mountinfo.error().what;
  auto mount = proc_mount(*mountinfo);
  if (!mount) return mount.error().what;
  if (!mount->hides()) return std::nullopt;
  auto status = read_file(proc / of / "status");
  if (!status) return status.error().what;
  bool shown = may_ptrace_all(*status) || (mount->has_group() && in_group(*status, mount->gid));
  std::string hidden = fmt::format("/proc is mounted with hidepid={}", mount->hidepid);
  if (!shown) return hidden + ", and CAP_SYS_PTRACE is missing";
  if (of != "self") return std::nullopt;
  auto other = read_file(proc / "1" / "stat");
  if (other) return std::nullopt;
  return fmt::format("{}, and {}", hidden, other.error().what);
}

}  // namespace guard
