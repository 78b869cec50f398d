#include "dlmfs/queue.hpp"

#include <charconv>
#include <fstream>
#include <map>
#include <optional>

namespace dlmfs {
namespace {

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

std::map<int, std::string> node_names(const std::filesystem::path& clusters) {
  std::map<int, std::string> names;
  std::error_code error;
  for (const auto& cluster : std::filesystem::directory_iterator(clusters, error)) {
    for (const auto& node : std::filesystem::directory_iterator(cluster.path() / "node", error)) {
      std::string line;
      std::ifstream number(node.path() / "num");
      if (!std::getline(number, line)) continue;
      if (auto value = number_in(line)) names[*value] = node.path().filename();
    }
  }
  return names;
}

std::string_view take_field(std::string_view& line) {
  std::string_view field = line.substr(0, line.find(','));
  line.remove_prefix(std::min(line.size(), field.size() + 1));
  return field;
}

struct Waiting {
  int node;
  Level level;
};

/// "LOCK:1,list,level,wanted level,node,…", list 1 converting, 2 blocked; a blocked one's level is
/// the one it waits for. Levels are those of the kernel's dlmapi.h.
std::optional<Waiting> waiting_in(std::string_view line) {
  constexpr std::string_view start = "LOCK:1,";
  constexpr int converting = 1;
  constexpr int blocked = 2;
  constexpr int exclusive = 5;
  if (!line.starts_with(start)) return std::nullopt;
  line.remove_prefix(start.size());
  auto list = number_in(take_field(line));
  auto level = number_in(take_field(line));
  auto wanted = number_in(take_field(line));
  auto node = number_in(take_field(line));
  if (!list || !level || !wanted || !node) return std::nullopt;
  if (*list != converting && *list != blocked) return std::nullopt;
  int asked = *list == converting ? *wanted : *level;
  return Waiting{*node, asked == exclusive ? Level::exclusive : Level::protected_read};
}

}  // namespace

std::vector<QueuedRequest> queued_requests(const ClusterPaths& paths, const DomainName& domain,
                                           const Name& name) {
  std::ifstream state(paths.debug / domain.text() / "locking_state");
  std::string wanted = "NAME:" + name.text();
  std::string line;
  while (std::getline(state, line) && line != wanted) {
  }
  std::vector<QueuedRequest> requests;
  auto names = node_names(paths.clusters);
  while (std::getline(state, line) && !line.empty()) {
    auto waiting = waiting_in(line);
    if (waiting) requests.push_back({names[waiting->node], waiting->level});
  }
  return requests;
}

}  // namespace dlmfs
