#pragma once

#include <filesystem>

#include "dlmfs/cluster.hpp"
#include "guard/system/file.hpp"

namespace guard::command {

/// Files in which a host describes its state. Tests set others.
struct SystemPaths {
  dlmfs::ClusterPaths cluster = {};
  std::filesystem::path file_systems = "/proc/filesystems";
  std::filesystem::path live_nodes = "/sys/kernel/debug/o2hb/livenodes";
  std::filesystem::path connected_nodes = "/sys/kernel/debug/o2net/connected_nodes";
  std::filesystem::path panic = "/proc/sys/kernel/panic";  ///< seconds from a panic to the reboot
  std::filesystem::path processes = "/proc";
  std::filesystem::path hooks = "/etc/libvirt/hooks";
  std::filesystem::path daemons = "/usr/sbin";     ///< the programs of libvirt's daemons
  std::filesystem::path sockets = "/run/libvirt";  ///< where libvirt's clients connect
};

}  // namespace guard::command
