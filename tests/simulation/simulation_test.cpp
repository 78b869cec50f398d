#include <cstdlib>
#include <iostream>

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
                                           "event=exclusive",
                                           "event=hand-over-accepted",
                                           "event=held",
                                           "event=reopened",
                                           "event=not-a-migration",
                                           "event=qemu-outlives-release",
                                           "event=request-queued",
                                           "event=lock-open-here"};

/// One kind of violation.
struct Violation {
  int times = 0;
  std::uint64_t first_seed = 0;
};

}  // namespace

/// Without START_GUARD_SEED, runs START_GUARD_SCHEDULES schedules, from the seed
/// START_GUARD_FIRST_SEED on. With it, runs only that one, and prints all that happened. With
/// START_GUARD_COUNT, goes on after a violation, and prints how often each kind of violation and
/// each event occurred.
TEST_CASE("random schedules of operations and faults on three hosts keep the invariants") {
  if (std::filesystem::is_directory("/dev/shm")) ::setenv("TMPDIR", "/dev/shm", 0);
  auto seed = number_from("START_GUARD_SEED");
  bool goes_on = std::getenv("START_GUARD_COUNT") != nullptr;
  auto count = seed ? 1 : number_from("START_GUARD_SCHEDULES").value_or(500);
  std::map<std::string, int> events;
  std::map<std::string, Violation> violations;
  auto first = seed ? *seed : number_from("START_GUARD_FIRST_SEED").value_or(1);
  for (std::uint64_t now = first, left = count; left > 0; ++now, --left) {
    World world(now);
    INFO("START_GUARD_SEED=" << now);
    auto violation = world.run();
    if (seed) std::cout << world.history();
    if (goes_on && !violation.empty()) {
      auto& kind = violations[violation.substr(0, violation.find('\n'))];
      if (++kind.times == 1) kind.first_seed = now;
    }
    if (!goes_on) REQUIRE(violation == "");
    for (const auto& [event, times] : world.events())
      events[event] += times;
  }
  if (goes_on) {
    for (const auto& [text, found] : violations)
      std::cout << found.times << ' ' << text << ": START_GUARD_SEED=" << found.first_seed << '\n';
    for (const auto& [event, times] : events)
      std::cout << times << ' ' << event << '\n';
    CHECK(violations.empty());
  }
  for (const auto& event : expected) {
    INFO(event);
    CHECK((seed || goes_on || events[event] > 0));
  }
}
