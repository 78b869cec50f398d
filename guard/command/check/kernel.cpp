#include "guard/command/check/kernel.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

#include <fmt/format.h>

namespace guard::command {
namespace {

/// Below it what a denied start leaves behind stays locked: a refused unlink leaks the lock.
constexpr std::pair least_version{5L, 19L};

std::optional<std::pair<long, long>> version_in(const std::string& release) {
  auto major = leading_number(release);
  auto minor = leading_number(release.substr(std::min(release.size(), release.find('.') + 1)));
  if (!major || !minor) return std::nullopt;
  return std::pair(*major, *minor);
}

}  // namespace

Finding check_kernel(const std::string& release) {
  auto version = version_in(release);
  std::string found = "Linux " + release;
  if (!version) return {"kernel", Health::warn, found + ": what version is that?", "uname -r"};
  if (*version >= least_version) return {"kernel", Health::ok, found};
  return {"kernel", Health::fail, found + ": before 5.19 a lock can stay behind that nobody holds",
          "install Linux 5.19 or later, and boot it"};
}

Finding check_module(const Places& places) {
  std::ifstream table(places.file_systems);
  for (std::string word; table >> word;) {
    if (word == "ocfs2_dlmfs") return {"module", Health::ok, "the kernel knows ocfs2_dlmfs"};
  }
  return {"module", Health::fail, "the kernel does not know ocfs2_dlmfs",
          "modprobe ocfs2_dlmfs (Debian's cloud kernels lack it: apt install linux-image-amd64)"};
}

Finding check_stack(const Places& places) {
  auto stack = first_line(places.cluster.stack);
  if (!stack) {
    return {"stack", Health::fail, "no cluster stack is loaded", "/etc/init.d/o2cb start"};
  }
  if (*stack == "o2cb") return {"stack", Health::ok, *stack};
  return {"stack", Health::fail,
          fmt::format("{}, not o2cb: a start that is denied would hang for ever", *stack),
          fmt::format("echo o2cb > {}, with the cluster down on every host",
                      places.cluster.stack.string())};
}

}  // namespace guard::command
