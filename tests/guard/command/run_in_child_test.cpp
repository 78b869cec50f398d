#include "guard/command/run_in_child.hpp"

#include <csignal>
#include <unistd.h>

#include "tests/catch.hpp"

using namespace guard::command;
using namespace std::chrono_literals;

TEST_CASE("what the work came to is told as it is") {
  std::string long_text(1'000'000, 'x');
  auto outcome = run_in_child(10s, [&] { return Outcome{3, long_text, "talk"}; });
  REQUIRE(outcome);
  CHECK(outcome->status == 3);
  CHECK(outcome->out == long_text);
  CHECK(outcome->err == "talk");
}

TEST_CASE("work that takes too long is left behind") {
  auto outcome = run_in_child(10ms, []() -> Outcome {
    for (;;)
      ::pause();
  });
  CHECK_FALSE(outcome);
}

TEST_CASE("work that throws has failed, with the reason") {
  auto outcome = run_in_child(10s, []() -> Outcome { throw std::runtime_error("no luck"); });
  REQUIRE(outcome);
  CHECK(outcome->status == 1);
  CHECK(outcome->err == "start-guard: unexpected error: no luck\n");
}

TEST_CASE("work that is killed is a bug to be told") {
  CHECK_THROWS(run_in_child(10s, []() -> Outcome {
    ::kill(::getpid(), SIGKILL);
    return {};
  }));
}
