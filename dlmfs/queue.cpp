#include "dlmfs/queue.hpp"

#include <charconv>
#include <fstream>
#include <map>
#include <optional>

#include "dlmfs/nodes.hpp"

namespace dlmfs {
namespace {

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  return number;
}

std::map<int, std::string> node_names(const ClusterPaths& paths) {
  std::map<int, std::string> names;
  for (Node& node : nodes(paths))
    names[node.number] = std::move(node.name);
  return names;
}

std::string_view take_field(std::string_view& line) {
  std::string_view field = line.substr(0, line.find(','));
  line.remove_prefix(std::min(line.size(), field.size() + 1));
  return field;
}

/// The node that is this host.
std::optional<int> own_node(const ClusterPaths& paths) {
  for (const Node& node : nodes(paths)) {
    if (node.local) return node.number;
  }
  return std::nullopt;
}

constexpr int converting = 1;
constexpr int blocked = 2;
constexpr int protected_read = 3;
constexpr int exclusive = 5;

/// "LOCK:1,list,level,wanted level,node,…". A blocked one's level is the one it waits for. Levels
/// are those of the kernel's dlmapi.h.
struct Entry {
  int list, level, wanted, node;
};

std::optional<Entry> entry_in(std::string_view line) {
  constexpr std::string_view start = "LOCK:1,";
  if (!line.starts_with(start)) return std::nullopt;
  line.remove_prefix(start.size());
  auto list = number_in(take_field(line));
  auto level = number_in(take_field(line));
  auto wanted = number_in(take_field(line));
  auto node = number_in(take_field(line));
  if (!list || !level || !wanted || !node) return std::nullopt;
  return Entry{*list, *level, *wanted, *node};
}

std::optional<Level> level_of(int number) {
  if (number == exclusive) return Level::exclusive;
  if (number == protected_read) return Level::protected_read;
  return std::nullopt;
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
  auto names = node_names(paths);
  while (std::getline(state, line) && !line.empty()) {
    auto entry = entry_in(line);
    if (!entry || (entry->list != converting && entry->list != blocked)) continue;
    int asked = entry->list == converting ? entry->wanted : entry->level;
    requests.push_back({names[entry->node], level_of(asked).value_or(Level::protected_read)});
  }
  return requests;
}

std::optional<std::map<LockName, Level>> granted_levels(const ClusterPaths& paths,
                                                        const DomainName& domain) {
  std::ifstream state(paths.debug / domain.text() / "locking_state");
  auto self = own_node(paths);
  if (!state || !self) return std::nullopt;
  constexpr std::string_view naming = "NAME:";
  std::map<LockName, Level> levels;
  std::optional<LockName> name;
  std::string line;
  while (std::getline(state, line)) {
    if (line.starts_with(naming)) name = LockName::parse(line.substr(naming.size()));
    auto entry = entry_in(line);
    if (!name || !entry || entry->node != *self || entry->list == blocked) continue;
    if (auto level = level_of(entry->level)) levels[*name] = *level;
  }
  return levels;
}

}  // namespace dlmfs
