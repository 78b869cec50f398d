#include <algorithm>
#include <array>
#include <compare>
#include <fstream>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "guard/command/checks/all.hpp"
#include "guard/system/parse_text.hpp"

namespace guard::command {
namespace {

struct Version {
  long major = 0, minor = 0, patch = 0;
  friend auto operator<=>(const Version&, const Version&) = default;
};

/// In older kernels a refused unlink leaks the lock, so what a denied start leaves behind stays
/// locked.
constexpr Version least_version{5, 19, 0};

/// CVE-2026-89491: o2hb_region_pin() slept under a spinlock, and leaked pins. `pin_fixes` has the
/// first release with the fix for each branch that has one.
constexpr std::string_view pin_flaw = "CVE-2026-89491";
constexpr std::array pin_fixes{Version{6, 1, 188}, Version{6, 12, 109}, Version{6, 18, 50},
                               Version{7, 2, 4}};

/// Parses the version at the beginning of a text: "6.1.0-56-amd64", "7.3-rc1".
std::optional<Version> version_at(std::string_view text) {
  Version version;
  for (long* part : {&version.major, &version.minor, &version.patch}) {
    auto number = leading_number<long>(text);
    if (!number) return std::nullopt;
    *part = *number;
    text.remove_prefix(std::min(text.size(), text.find_first_not_of("0123456789")));
    if (part != &version.major && !text.starts_with('.')) return version;
    if (!text.starts_with('.')) return std::nullopt;
    text.remove_prefix(1);
  }
  return version;
}

/// Returns the kernel's version. Debian's release, "6.1.0-56-amd64", has no patch level. The
/// build's text, "#1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2 (2026-11-01)", has it in the package's
/// version.
std::optional<Version> version_of(const std::string& release, const std::string& build) {
  constexpr std::string_view mark = "Debian ";
  auto version = version_at(release);
  std::size_t found = build.find(mark);
  if (!version || found == std::string::npos) return version;
  auto packaged = version_at(std::string_view(build).substr(found + mark.size()));
  bool same_branch =
      packaged && packaged->major == version->major && packaged->minor == version->minor;
  return same_branch ? packaged : version;
}

bool has_pin_fix(const Version& version) {
  for (const Version& fixed : pin_fixes) {
    if (version.major == fixed.major && version.minor == fixed.minor) return version >= fixed;
  }
  return version >= pin_fixes.back();
}

}  // namespace

Finding check_kernel(const std::string& release, const std::string& build) {
  auto version = version_of(release, build);
  if (!version) {
    return {"kernel", Health::warn, fmt::format("Linux {}: its version is unknown", release),
            fmt::format("see whether it has the fix of {}: uname -rv", pin_flaw)};
  }
  std::string found =
      fmt::format("Linux {}.{}.{} ({})", version->major, version->minor, version->patch, release);
  if (*version < least_version) {
    return {"kernel", Health::fail,
            found + ": before 5.19 a lock can stay behind that nobody holds",
            "install Linux 5.19 or later, and boot it"};
  }
  if (!has_pin_fix(*version)) {
    return {"kernel", Health::warn,
            fmt::format("{}: not known to have the fix of {}, a deadlock of the heartbeat", found,
                        pin_flaw),
            "install Linux 6.1.188, 6.12.109, 6.18.50, 7.2.4 or a later one of these branches, or "
            "one in which your distribution says that it is fixed, and boot it"};
  }
  return {"kernel", Health::ok, found};
}

Finding check_module(const SystemPaths& paths) {
  std::ifstream table(paths.file_systems);
  for (std::string word; table >> word;) {
    if (word == "ocfs2_dlmfs") return {"module", Health::ok, "the kernel knows ocfs2_dlmfs"};
  }
  return {"module", Health::fail, "the kernel does not know ocfs2_dlmfs",
          "modprobe ocfs2_dlmfs (Debian's cloud kernels lack it: apt install linux-image-amd64)"};
}

Finding check_stack(const SystemPaths& paths) {
  auto stack = first_line(paths.cluster.stack);
  if (!stack) {
    return {"stack", Health::fail, "no cluster stack is loaded",
            "systemctl restart o2cb (see O2CB_ENABLED in /etc/default/o2cb)"};
  }
  if (*stack == "o2cb") return {"stack", Health::ok, *stack};
  return {"stack", Health::fail,
          fmt::format("{}, not o2cb: a start that is denied would hang for ever", *stack),
          fmt::format("echo o2cb > {}, with the cluster down on every host", paths.cluster.stack)};
}

}  // namespace guard::command
