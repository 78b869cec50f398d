#pragma once

#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "dlmfs/cluster.hpp"

namespace dlmfs {

struct FakeMount {
  std::string device;
  std::string place;
  std::string type = "ocfs2_dlmfs";
  std::string root = "/";  ///< another one for a bind mount
};

/// Writes both of the kernel's tables of the mounts.
inline void write_mounts(const ClusterPaths& paths, const std::vector<FakeMount>& mounts) {
  std::ofstream table(paths.mounts);
  std::ofstream details(paths.mount_details);
  for (const FakeMount& mount : mounts) {
    table << fmt::format("{0} {1} {0} rw,relatime 0 0\n", mount.type, mount.place);
    details << fmt::format("40 25 {} {} {} rw,relatime shared:20 - {} ocfs2_dlmfs rw\n",
                           mount.device, mount.root, mount.place, mount.type);
  }
}

}  // namespace dlmfs
