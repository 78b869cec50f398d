#include "guard/state/hook_seen.hpp"

#include "tests/catch.hpp"
#include "tests/guard/temporary_directory.hpp"

using namespace guard;

TEST_CASE("HookSeen records the daemon and the time of a hook call") {
  TemporaryDirectory folder;
  auto state = StateDirectory::open(folder.path() / "state").value();
  CHECK_FALSE(HookSeen::read(state, hook_called_file));
  auto before = std::chrono::system_clock::now() - std::chrono::seconds(1);
  for (pid_t daemon : {312, 4'194'303}) {
    HookSeen::note(state, hook_called_file, daemon);
    auto last = HookSeen::read(state, hook_called_file);
    REQUIRE(last);
    CHECK(last->daemon == daemon);
    CHECK(last->time >= before);
  }
  CHECK_FALSE(HookSeen::read(state, hook_reloaded_file));
}
