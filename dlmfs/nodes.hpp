#pragma once

#include <string>
#include <vector>

#include "dlmfs/cluster.hpp"

namespace dlmfs {

/// A host, as the cluster's configuration in the kernel has it.
struct Node {
  std::string name;
  int number = 0;
  bool local = false;        ///< it is this host
  std::string address = {};  ///< and port, as in "10.77.0.1:7777"
};

/// All of them, by their numbers. Empty: no cluster is configured.
[[nodiscard]] std::vector<Node> nodes(const ClusterPaths& paths);

}  // namespace dlmfs
