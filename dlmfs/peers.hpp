#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "dlmfs/cluster.hpp"

namespace dlmfs {

/// Returns for how long the kernel has received nothing from each connected host, by the node's
/// name. A host to which the kernel is still connecting is left out: it is in no DLM domain yet.
/// While two hosts have nothing else to say, each asks the other for a sign of life after each
/// `keepalive_delay`. Returns nullopt if debugfs cannot be read (sc_show_sock_container in the
/// kernel's fs/ocfs2/cluster/netdebug.c). Does not block. The kernel logs a line at info for a
/// read, "buggy .next function sc_seq_next", at most ten in 5 s.
[[nodiscard]] std::optional<std::map<std::string, std::chrono::milliseconds>> silence_of_peers(
    const ClusterPaths& paths);

/// Returns the cluster's keepalive_delay_ms, or the kernel's default if it cannot be read.
[[nodiscard]] std::chrono::milliseconds keepalive_delay(const ClusterPaths& paths);

}  // namespace dlmfs
