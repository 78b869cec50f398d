#include "dlmfs/nodes.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include "guard/system/file.hpp"

namespace dlmfs {
namespace {

std::string line_in(const std::filesystem::path& file) {
  std::string text = guard::read_file(file).value_or("");
  return text.substr(0, text.find('\n'));
}

std::optional<Node> node_in(const std::filesystem::path& folder) {
  std::string digits = line_in(folder / "num");
  Node node{folder.filename()};
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), node.number);
  if (error != std::errc()) return std::nullopt;
  node.local = line_in(folder / "local") == "1";
  node.address = line_in(folder / "ipv4_address") + ":" + line_in(folder / "ipv4_port");
  return node;
}

}  // namespace

std::vector<Node> nodes(const ClusterPaths& paths) {
  std::vector<Node> nodes;
  std::error_code error;
  for (const auto& cluster : std::filesystem::directory_iterator(paths.clusters, error)) {
    for (const auto& entry : std::filesystem::directory_iterator(cluster.path() / "node", error)) {
      if (auto node = node_in(entry.path())) nodes.push_back(std::move(*node));
    }
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const Node& a, const Node& b) { return a.number < b.number; });
  return nodes;
}

}  // namespace dlmfs
