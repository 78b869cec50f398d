#include "conf/parse.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "conf/duration.hpp"
#include "conf/escape.hpp"
#include "conf/toml.hpp"

namespace conf {
namespace {

using std::chrono::milliseconds;

struct Mistake {
  toml::source_position where;
  std::string what;  ///< the error, and what was expected
};

// Keeps the mistake that comes first in the file, because people correct a file from top to bottom.
// toml++ sorts keys by name.
void keep_first(std::optional<Mistake>& kept, std::optional<Mistake> mistake) {
  if (mistake && (!kept || mistake->where < kept->where)) kept = std::move(mistake);
}

// Each `read_…` function sets `into` to the node's value, or returns the node that has a wrong
// value: the node itself or an element of its array.
using Unfit = const toml::node*;
constexpr Unfit fits = nullptr;

// Returns nullopt for a text with control characters: a NUL would end the string early in a system
// call, and the others would garble messages.
std::optional<std::string> non_empty_text(const toml::node& node) {
  auto text = node.value_exact<std::string>();
  if (!text || text->empty() || has_control_characters(*text)) return std::nullopt;
  return text;
}

Unfit read_text(const toml::node& node, std::string& into) {
  auto text = non_empty_text(node);
  if (!text) return &node;
  into = std::move(*text);
  return fits;
}

Unfit read_absolute_path(const toml::node& node, std::string& into) {
  auto text = non_empty_text(node);
  if (!text || text->front() != '/') return &node;
  into = std::move(*text);
  return fits;
}

Unfit read_domain(const toml::node& node, std::string& into) {
  constexpr std::size_t longest = 63 - std::string_view("-bell").size();
  auto text = non_empty_text(node);
  if (!text || text->size() > longest || text->front() == '.') return &node;
  if (text->find('/') != std::string::npos) return &node;
  into = std::move(*text);
  return fits;
}

template <int least = 1>
Unfit read_duration(const toml::node& node, milliseconds& into) {
  auto text = node.value_exact<std::string_view>();
  auto duration = text ? parse_duration(*text) : std::nullopt;
  if (!duration || *duration < milliseconds(least)) return &node;
  into = *duration;
  return fits;
}

Unfit read_bool(const toml::node& node, bool& into) {
  auto value = node.value_exact<bool>();
  if (!value) return &node;
  into = *value;
  return fits;
}

template <typename Choice>
Unfit read_choice(const toml::node& node, std::string_view one, Choice its, std::string_view other,
                  Choice others, Choice& into) {
  auto text = node.value_exact<std::string_view>();
  if (text != one && text != other) return &node;
  into = text == one ? its : others;
  return fits;
}

Unfit read_texts(const toml::node& node, std::vector<std::string>& into) {
  const toml::array* elements = node.as_array();
  if (elements == nullptr) return &node;
  for (const toml::node& element : *elements) {
    auto text = non_empty_text(element);
    if (!text) return &element;
    into.push_back(std::move(*text));
  }
  return fits;
}

/// Reads a node into a member of a table's struct.
template <auto read, auto member, typename Table>
Unfit read_into(const toml::node& node, Table& into) {
  return read(node, into.*member);
}

/// One key of a table: its name, its expected values for messages, and the function that reads it.
template <typename Table>
struct Key {
  std::string_view name;
  std::string_view expected;
  Unfit (*read)(const toml::node& node, Table& into);
};

constexpr std::string_view path_form = "an absolute path in quotes without control characters";
constexpr std::string_view duration_form =
    "a duration up to 1h, an integer with its unit (ms, s, m, h) in quotes such as \"10s\"";

constexpr std::array dlmfs_keys{
    Key<Dlmfs>{"mount", path_form, read_into<read_absolute_path, &Dlmfs::mount>},
    Key<Dlmfs>{"domain",
               "a name in quotes of 1 to 58 bytes without '/', leading '.' or control characters",
               read_into<read_domain, &Dlmfs::domain>},
};

constexpr std::array guard_keys{
    Key<Guard>{"acquire_timeout",
               "a duration from 100ms to 1h, an integer with its unit (ms, s, m, h) in quotes such "
               "as \"10s\"",
               read_into<read_duration<100>, &Guard::acquire_timeout>},
    Key<Guard>{"migrate_window", duration_form, read_into<read_duration<>, &Guard::migrate_window>},
    Key<Guard>{"on_cluster_down", R"("deny" or "allow")",
               [](const toml::node& node, Guard& into) {
                 return read_choice(node, "deny", OnClusterDown::deny, "allow",
                                    OnClusterDown::allow, into.on_cluster_down);
               }},
    Key<Guard>{"on_reconnect_conflict", R"("keep" or "kill")",
               [](const toml::node& node, Guard& into) {
                 return read_choice(node, "keep", OnReconnectConflict::keep, "kill",
                                    OnReconnectConflict::kill, into.on_reconnect_conflict);
               }},
    Key<Guard>{"require_global_heartbeat", "true or false",
               read_into<read_bool, &Guard::require_global_heartbeat>},
    Key<Guard>{
        "exempt",
        "an array of VM UUIDs, names or globs, each non-empty, in quotes and without control "
        "characters",
        read_into<read_texts, &Guard::exempt>},
};

constexpr std::array keeper_keys{
    Key<Keeper>{"reconcile_interval", duration_form,
                read_into<read_duration<>, &Keeper::reconcile_interval>},
    Key<Keeper>{"libvirt_uri", "a libvirt URI in quotes such as \"qemu:///system\"",
                read_into<read_text, &Keeper::libvirt_uri>},
};

constexpr std::array paths_keys{
    Key<Paths>{"state", path_form, read_into<read_absolute_path, &Paths::state>},
};

// Returns the text that shows a node in a message.
std::string shown(const toml::node& node) {
  constexpr std::size_t enough = 80;
  switch (node.type()) {
    case toml::node_type::string:
      return fmt::format("\"{}\"", escape(*node.value_exact<std::string_view>(), enough));
    case toml::node_type::integer:
      return fmt::format("the number {}", *node.value_exact<std::int64_t>());
    case toml::node_type::boolean:
      return *node.value_exact<bool>() ? "true" : "false";
    case toml::node_type::floating_point:
      return "a number with a fraction";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

// Returns the known names as a list, for messages about a misspelt name.
template <typename Known>
std::string names(const Known& known) {
  std::string list;
  for (const auto& one : known)
    fmt::format_to(std::back_inserter(list), "{}, ", one.name);
  list.resize(list.size() - 2);
  return list;
}

template <typename Known>
auto find(const Known& known, std::string_view name) {
  return std::find_if(known.begin(), known.end(), [&](auto& one) { return one.name == name; });
}

template <typename Table, std::size_t count>
std::optional<Mistake> read_key(const toml::key& key, const toml::node& node,
                                std::string_view table_name,
                                const std::array<Key<Table>, count>& keys, Table& into) {
  auto known = find(keys, key.str());
  if (known == keys.end()) {
    return Mistake{key.source().begin, fmt::format("unknown key {} in [{}]; expected {}",
                                                   escape(key.str()), table_name, names(keys))};
  }
  Unfit unfit = known->read(node, into);
  if (unfit == fits) return std::nullopt;
  return Mistake{unfit->source().begin,
                 fmt::format("{} cannot {} {}; expected {}", known->name,
                             unfit == &node ? "be" : "hold", shown(*unfit), known->expected)};
}

template <typename Table, std::size_t count>
std::optional<Mistake> read_table(const toml::table& table, std::string_view table_name,
                                  const std::array<Key<Table>, count>& keys, Table& into) {
  std::optional<Mistake> first;
  for (auto&& [key, node] : table) {
    keep_first(first, read_key(key, node, table_name, keys, into));
  }
  return first;
}

/// One table of the file: its name, and the function that sets its part of Settings.
struct Section {
  std::string_view name;
  std::optional<Mistake> (*read)(const toml::table& table, std::string_view name, Settings& into);
};

template <const auto& keys, auto part>
std::optional<Mistake> read_part(const toml::table& table, std::string_view name, Settings& into) {
  return read_table(table, name, keys, into.*part);
}

constexpr std::array sections{
    Section{"dlmfs", read_part<dlmfs_keys, &Settings::dlmfs>},
    Section{"guard", read_part<guard_keys, &Settings::guard>},
    Section{"keeper", read_part<keeper_keys, &Settings::keeper>},
    Section{"paths", read_part<paths_keys, &Settings::paths>},
};

std::string why_no_section(std::string_view name, bool is_known, bool is_table) {
  if (is_known) return fmt::format("{} is not a table", name);
  if (is_table) return fmt::format("unknown table {}", escape(name));
  return fmt::format("the key {} is in no table", escape(name));
}

std::optional<Mistake> read_section(const toml::key& key, const toml::node& node, Settings& into) {
  const toml::table* table = node.as_table();
  const auto* known = find(sections, key.str());
  bool is_known = known != sections.end();
  if (is_known && table != nullptr) return known->read(*table, known->name, into);
  return Mistake{
      key.source().begin,
      fmt::format("{}; expected the tables {}",
                  why_no_section(key.str(), is_known, table != nullptr), names(sections))};
}

std::optional<Mistake> read_sections(const toml::table& document, Settings& into) {
  std::optional<Mistake> first;
  for (auto&& [key, node] : document)
    keep_first(first, read_section(key, node, into));
  return first;
}

Mistake syntax_mistake(const toml::parse_error& error) {
  return {error.source().begin,
          fmt::format("syntax error: {}; expected TOML: [table] lines and key = value lines",
                      escape(error.description()))};
}

tl::unexpected<Error> refused(const std::string& file_name, const Mistake& mistake) {
  std::string place = escape(file_name);
  if (mistake.where) place += fmt::format(":{}:{}", mistake.where.line, mistake.where.column);
  return fail(Error{0, fmt::format("{}: {}", place, mistake.what)});
}

}  // namespace

Result<Settings> parse(std::string_view text, const std::string& file_name) {
  toml::parse_result document = toml::parse(text);
  if (!document) return refused(file_name, syntax_mistake(document.error()));
  Settings settings;
  if (auto mistake = read_sections(document.table(), settings)) {
    return refused(file_name, *mistake);
  }
  return settings;
}

}  // namespace conf
