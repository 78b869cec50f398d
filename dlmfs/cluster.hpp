#pragma once

#include <filesystem>

#include "dlmfs/result.hpp"

namespace dlmfs {

/// Where the kernel tells of the cluster stack. Other places are for tests.
struct ClusterPaths {
  std::filesystem::path mounts = "/proc/self/mountinfo";
  std::filesystem::path stack = "/sys/fs/ocfs2/cluster_stack";
  std::filesystem::path clusters = "/sys/kernel/config/cluster";
  std::filesystem::path debug = "/sys/kernel/debug/o2dlm";
};

/// Makes sure that locks taken here exclude other hosts: exactly one dlmfs is mounted (two mounts
/// of one host conflict with each other), the stack is o2cb (the user-space stack hangs for ever
/// on a denied trylock), a cluster is configured, and, if asked for, its heartbeat is global (in
/// local mode an unmount elsewhere can take the heartbeat away, and two hosts then hold EX).
///
/// The error says what is wrong and the command that mends it.
[[nodiscard]] Result<void> check_cluster(const ClusterPaths& paths, bool require_global_heartbeat);

/// How many dlmfs are mounted on this host; a bind mount is no further one.
[[nodiscard]] Result<std::size_t> count_mounts(const ClusterPaths& paths);

}  // namespace dlmfs
