#include "dlmfs/nodes.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"

namespace dlmfs {
namespace {

std::string line_in(const std::filesystem::path& file) {
  std::string text = guard::read_file(file).value_or("");
  return text.substr(0, text.find('\n'));
}

std::optional<Node> node_in(const std::filesystem::path& folder) {
  auto number = guard::leading_number<int>(line_in(folder / "num"));
  if (!number) return std::nullopt;
  return Node{folder.filename(), *number, line_in(folder / "local") == "1",
              line_in(folder / "ipv4_address") + ":" + line_in(folder / "ipv4_port")};
}

}  // namespace

std::vector<Node> nodes(const ClusterPaths& paths) {
  std::vector<Node> nodes;
  auto clusters = guard::list_directory(paths.clusters);
  for (const auto& cluster : clusters ? *clusters : std::vector<std::string>()) {
    auto folder = std::filesystem::path(paths.clusters) / cluster / "node";
    auto names = guard::list_directory(folder);
    for (const auto& name : names ? *names : std::vector<std::string>()) {
      if (auto node = node_in(folder / name)) nodes.push_back(std::move(*node));
    }
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const Node& a, const Node& b) { return a.number < b.number; });
  return nodes;
}

}  // namespace dlmfs
