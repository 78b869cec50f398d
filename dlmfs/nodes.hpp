#pragma once

#include <string>
#include <vector>

#include "dlmfs/cluster.hpp"

namespace dlmfs {

/// A host in the kernel's cluster configuration.
struct Node {
  std::string name;
  int number = 0;
  bool local = false;        ///< true: this host
  std::string address = {};  ///< address and port, such as "10.77.0.1:7777"
};

/// Returns all nodes, sorted by number. The list is empty if no cluster is configured.
[[nodiscard]] std::vector<Node> nodes(const ClusterPaths& paths);

}  // namespace dlmfs
