#pragma once

#include <optional>
#include <string>

#include "dlmfs/result.hpp"

namespace dlmfs {

/// Where the kernel shows the cluster stack. Tests use other paths.
struct ClusterPaths {
  std::string mounts = "/proc/self/mounts";
  std::string mount_details = "/proc/self/mountinfo";
  std::string stack = "/sys/fs/ocfs2/cluster_stack";
  std::string clusters = "/sys/kernel/config/cluster";
  std::string debug = "/sys/kernel/debug/o2dlm";
  std::string connections = "/sys/kernel/debug/o2net/sock_containers";
};

/// Checks that locks acquired on this host exclude other hosts:
/// - Exactly one dlmfs is mounted. Two mounts on one host conflict with each other.
/// - The stack is o2cb. The user-space stack hangs forever on a denied trylock.
/// - A cluster is configured.
/// - If required, its heartbeat is global. In local mode an unmount of another file system can stop
///   the heartbeat, and then two hosts can hold EX.
///
/// The error names the cause and the command that remedies it.
[[nodiscard]] Result<void> check_cluster(const ClusterPaths& paths, bool require_global_heartbeat);

/// Returns the cluster's folder in configfs, or nullopt if no cluster is configured. The kernel
/// supports only one cluster.
[[nodiscard]] std::optional<std::string> cluster_folder(const ClusterPaths& paths);

/// Returns how many dlmfs are mounted on this host, without bind mounts.
[[nodiscard]] Result<std::size_t> count_mounts(const ClusterPaths& paths);

}  // namespace dlmfs
