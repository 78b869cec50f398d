#include "guard/daemon_mark.hpp"

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

TEST_CASE("a call of the hook is remembered by who made it, and when") {
  TemporaryDirectory folder;
  auto state = StateDirectory::open(folder.path() / "state").value();
  CHECK_FALSE(DaemonMark::read(state, hook_called));
  auto before = std::chrono::system_clock::now() - std::chrono::seconds(1);
  for (pid_t daemon : {312, 4'194'303}) {
    DaemonMark::note(state, hook_called, daemon);
    auto last = DaemonMark::read(state, hook_called);
    REQUIRE(last);
    CHECK(last->daemon == daemon);
    CHECK(last->time >= before);
  }
  CHECK_FALSE(DaemonMark::read(state, hook_told));
}
