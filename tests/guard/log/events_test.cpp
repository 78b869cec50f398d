#include "guard/log/events.hpp"

#include <array>
#include <bit>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <utility>

#include "tests/catch.hpp"

namespace {

using Row = std::pair<std::string, std::string>;  // event, priority

std::string text_of(int priority) {
  constexpr const char* names[] = {"emerg",   "alert",  "crit", "err",
                                   "warning", "notice", "info", "debug"};
  return names[priority];
}

/// Returns the rows of the README's table "The log": "| `event` | priority, priority | meaning |".
std::set<Row> documented_events() {
  std::ifstream readme(README);
  std::set<Row> rows;
  bool in_section = false;
  for (std::string line; std::getline(readme, line);) {
    if (line.starts_with("## ")) in_section = line == "## The log";
    if (!in_section || !line.starts_with("| `")) continue;
    std::string event = line.substr(3, line.find('`', 3) - 3);
    std::size_t begin = line.find("| ", 3) + 2;
    std::istringstream priorities(line.substr(begin, line.find(" |", begin) - begin));
    for (std::string priority; priorities >> priority;) {
      if (priority.ends_with(',')) priority.pop_back();
      rows.emplace(event, priority);
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("the README lists exactly the events with their priorities") {
  std::set<Row> logged;
  constexpr std::size_t count = sizeof(guard::Events) / sizeof(guard::Event);
  for (const guard::Event& event : std::bit_cast<std::array<guard::Event, count>>(guard::events))
    logged.emplace(event.name, text_of(event.priority));
  CHECK(documented_events() == logged);
}
