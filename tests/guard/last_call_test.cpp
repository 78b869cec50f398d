#include "guard/last_call.hpp"

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

TEST_CASE("a call of the hook is remembered by who made it, and when") {
  TemporaryDirectory folder;
  auto state = StateDirectory::open(folder.path() / "state").value();
  CHECK_FALSE(LastCall::read(state));
  auto before = std::chrono::system_clock::now() - std::chrono::seconds(1);
  for (pid_t daemon : {312, 4'194'303}) {
    LastCall::note(state, daemon);
    auto last = LastCall::read(state);
    REQUIRE(last);
    CHECK(last->daemon == daemon);
    CHECK(last->time >= before);
  }
}
