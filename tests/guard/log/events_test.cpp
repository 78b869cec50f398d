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

/// Returns the items of start-guard-events(7): ".It Sy event Pq priority , priority".
std::set<Row> documented_events() {
  std::ifstream page(EVENTS_PAGE);
  std::set<Row> rows;
  for (std::string line; std::getline(page, line);) {
    constexpr std::string_view item = ".It Sy ";
    constexpr std::string_view separator = " Pq ";
    if (!line.starts_with(item)) continue;
    std::size_t end = line.find(separator);
    REQUIRE(end != std::string::npos);
    std::string event = line.substr(item.size(), end - item.size());
    std::istringstream priorities(line.substr(end + separator.size()));
    for (std::string priority; priorities >> priority;) {
      if (priority != ",") rows.emplace(event, priority);
    }
  }
  return rows;
}

}  // namespace

TEST_CASE("start-guard-events(7) lists exactly the events with their priorities") {
  std::set<Row> logged;
  constexpr std::size_t count = sizeof(guard::Events) / sizeof(guard::Event);
  for (const guard::Event& event : std::bit_cast<std::array<guard::Event, count>>(guard::events))
    logged.emplace(event.name, text_of(event.priority));
  CHECK(documented_events() == logged);
}
