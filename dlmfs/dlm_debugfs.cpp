#include "dlmfs/dlm_debugfs.hpp"

#include <cctype>

#include "dlmfs/nodes.hpp"
#include "guard/system/file.hpp"
#include "guard/system/parse_text.hpp"

namespace dlmfs {
namespace {

std::map<int, std::string> node_names(const ClusterPaths& paths) {
  std::map<int, std::string> names;
  for (Node& node : nodes(paths))
    names[node.number] = std::move(node.name);
  return names;
}

/// Removes the next number from the front of a comma-separated line and returns it.
std::optional<int> take_number(std::string_view& line) {
  return guard::leading_number<int>(guard::take_until(',', line));
}

/// Returns the number of the node that is this host, or nullopt if the kernel shows none.
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

/// A line "LOCK:1,list,level,wanted level,node,…". In the blocked list, `level` is the requested
/// level. Levels are numbered as in the kernel's dlmapi.h.
struct Entry {
  int list, level, wanted, node;
};

std::optional<Entry> entry_in(std::string_view line) {
  constexpr std::string_view start = "LOCK:1,";
  if (!line.starts_with(start)) return std::nullopt;
  line.remove_prefix(start.size());
  auto list = take_number(line);
  auto level = take_number(line);
  auto wanted = take_number(line);
  auto node = take_number(line);
  if (!list || !level || !wanted || !node) return std::nullopt;
  return Entry{*list, *level, *wanted, *node};
}

std::optional<Level> level_of(int number) {
  if (number == exclusive) return Level::exclusive;
  if (number == protected_read) return Level::protected_read;
  return std::nullopt;
}

/// Returns the kernel's table of a domain's locks, or nullopt if it can't be read.
std::optional<std::string> locking_state(const ClusterPaths& paths, const DomainName& domain) {
  auto text = guard::read_file(paths.debug + "/" + domain.text() + "/locking_state");
  if (!text) return std::nullopt;
  return std::move(*text);
}

/// Returns the lines that follow the lock's name in the table, or nullopt if the lock is not
/// listed.
std::optional<std::string_view> lines_of(const Name& name, std::string_view state) {
  std::string heading = "NAME:" + name.text() + "\n";
  if (state.starts_with(heading)) return state.substr(heading.size());
  std::size_t at = state.find("\n" + heading);
  if (at == std::string_view::npos) return std::nullopt;
  return state.substr(at + 1 + heading.size());
}

/// Returns this host's request in the lines of one lock, up to the empty line. Returns `unknown` at
/// a line of another form.
OwnRequest own_request_in(std::string_view lines, int self) {
  constexpr std::string_view start = "LOCK:";
  while (!lines.empty()) {
    std::string_view line = guard::take_until('\n', lines);
    if (line.empty()) break;
    if (!line.starts_with(start)) continue;
    auto entry = entry_in(line);
    if (!entry) return OwnRequest::unknown;
    bool waits = entry->list == converting || entry->list == blocked;
    if (waits && entry->node == self) return OwnRequest::pending;
  }
  return OwnRequest::none;
}

}  // namespace

OwnRequest own_request(const ClusterPaths& paths, const DomainName& domain, const Name& name) {
  auto self = own_node(paths);
  auto state = self ? locking_state(paths, domain) : std::nullopt;
  if (!state) return OwnRequest::unknown;
  auto lines = lines_of(name, *state);
  return lines ? own_request_in(*lines, *self) : OwnRequest::none;
}

std::optional<std::set<LockName>> own_requests(const ClusterPaths& paths,
                                               const DomainName& domain) {
  auto self = own_node(paths);
  auto state = self ? locking_state(paths, domain) : std::nullopt;
  if (!state) return std::nullopt;
  constexpr std::string_view heading = "NAME:";
  std::set<LockName> names;
  for (std::string_view rest = *state; !rest.empty();) {
    std::string_view line = guard::take_until('\n', rest);
    if (!line.starts_with(heading)) continue;
    auto name = LockName::parse(line.substr(heading.size()));
    if (name && own_request_in(rest, *self) != OwnRequest::none) names.insert(*name);
  }
  return names;
}

std::vector<QueuedRequest> queued_requests(const ClusterPaths& paths, const DomainName& domain,
                                           const Name& name) {
  auto state = locking_state(paths, domain);
  auto lines = state ? lines_of(name, *state) : std::nullopt;
  if (!lines) return {};
  std::vector<QueuedRequest> requests;
  auto names = node_names(paths);
  while (!lines->empty()) {
    std::string_view line = guard::take_until('\n', *lines);
    if (line.empty()) break;
    auto entry = entry_in(line);
    if (!entry || (entry->list != converting && entry->list != blocked)) continue;
    int asked = entry->list == converting ? entry->wanted : entry->level;
    requests.push_back({names[entry->node], level_of(asked).value_or(Level::protected_read)});
  }
  return requests;
}

std::optional<std::map<LockName, Level>> granted_levels(const ClusterPaths& paths,
                                                        const DomainName& domain) {
  auto self = own_node(paths);
  auto state = self ? locking_state(paths, domain) : std::nullopt;
  if (!state) return std::nullopt;
  constexpr std::string_view naming = "NAME:";
  std::map<LockName, Level> levels;
  std::optional<LockName> name;
  for (std::string_view rest = *state; !rest.empty();) {
    std::string_view line = guard::take_until('\n', rest);
    if (line.starts_with(naming)) name = LockName::parse(line.substr(naming.size()));
    auto entry = entry_in(line);
    if (!name || !entry || entry->node != *self || entry->list == blocked) continue;
    if (auto level = level_of(entry->level)) levels[*name] = *level;
  }
  return levels;
}

bool recovering(const ClusterPaths& paths, const DomainName& domain) {
  auto state = guard::read_file(paths.debug + "/" + domain.text() + "/dlm_state");
  if (!state) return false;
  constexpr std::string_view title = "\nRecovery Map: ";
  std::size_t at = state->find(title);
  // The numbers of the nodes follow.
  return at != std::string::npos && std::isdigit((*state)[at + title.size()]) != 0;
}

}  // namespace dlmfs
