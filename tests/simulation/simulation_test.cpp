#include <cstdlib>

#include "tests/catch.hpp"
#include "tests/simulation/world.hpp"

using guard::simulation::World;

namespace {

std::optional<std::uint64_t> number_from(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? std::nullopt : std::optional(std::strtoull(text, nullptr, 10));
}

/// What happens in the schedules, by the events that the hooks and keepers log. A simulation in
/// which nothing happens has no violation either.
const std::vector<std::string> expected = {"event=granted",
                                           "event=denied",
                                           "event=unlocked",
                                           "event=hand-over",
                                           "event=hand-over-accepted",
                                           "event=exclusive",
                                           "event=held",
                                           "event=reopened"};

}  // namespace

/// Without START_GUARD_SEED, runs START_GUARD_SCHEDULES schedules. With it, runs only that one, and
/// a violation prints all that happened.
TEST_CASE("random schedules of operations and faults on three hosts keep the invariants") {
  if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  auto seed = number_from("START_GUARD_SEED");
  auto count = seed ? 1 : number_from("START_GUARD_SCHEDULES").value_or(500);
  std::map<std::string, int> events;
  for (std::uint64_t now = seed.value_or(1), left = count; left > 0; ++now, --left) {
    World world(now);
    INFO("START_GUARD_SEED=" << now);
    REQUIRE(world.run() == "");
    for (const auto& [event, times] : world.events())
      events[event] += times;
  }
  for (const auto& event : expected) {
    INFO(event);
    CHECK((seed || events[event] > 0));
  }
}
