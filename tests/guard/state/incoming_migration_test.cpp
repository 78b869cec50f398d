#include "guard/state/incoming_migration.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace std::chrono_literals;

namespace {

const Caller caller{7, [] { return 70; }};
const Caller other{8, [] { return 70; }};
const Caller other_thread{7, [] { return 71; }};

struct Place {
  TemporaryDirectory directory;
  StateDirectory state = StateDirectory::open(directory.path()).value();
  IncomingMigrations announcements{state};
};

}  // namespace

TEST_CASE("a fresh announcement is consumed once") {
  Place place;
  REQUIRE(place.announcements.write(web.uuid, caller));
  CHECK(place.announcements.consume(web.uuid, caller, 10s).has_value());
  CHECK_FALSE(place.announcements.consume(web.uuid, caller, 10s).has_value());
}

TEST_CASE("without an announcement nothing is consumed") {
  Place place;
  CHECK_FALSE(place.announcements.consume(web.uuid, caller, 10s).has_value());
}

TEST_CASE("a too old announcement is removed but does not count") {
  Place place;
  REQUIRE(place.announcements.write(web.uuid, caller));
  CHECK_FALSE(place.announcements.consume(web.uuid, caller, 0s).has_value());
  CHECK_FALSE(place.announcements.consume(web.uuid, caller, 10s).has_value());
}

TEST_CASE("an announcement by another daemon is removed but does not count") {
  Place place;
  REQUIRE(place.announcements.write(web.uuid, other));
  CHECK_FALSE(place.announcements.consume(web.uuid, caller, 10s).has_value());
  CHECK_FALSE(place.announcements.consume(web.uuid, other, 10s).has_value());
}

TEST_CASE("an announcement by another thread is removed but does not count") {
  Place place;
  REQUIRE(place.announcements.write(web.uuid, other_thread));
  CHECK_FALSE(place.announcements.consume(web.uuid, caller, 10s).has_value());
  CHECK_FALSE(place.announcements.consume(web.uuid, other_thread, 10s).has_value());
}

TEST_CASE("a discarded announcement does not count for any daemon") {
  Place place;
  REQUIRE(place.announcements.write(web.uuid, other));
  REQUIRE(place.announcements.discard(web.uuid));
  CHECK_FALSE(place.announcements.consume(web.uuid, other, 10s).has_value());
  CHECK(place.announcements.discard(web.uuid));
}

TEST_CASE("an announcement that cannot be removed does not count") {
  Place place;
  REQUIRE(place.announcements.write(web.uuid, caller));
  // Another user may read the file, but not remove it.
  using std::filesystem::perms;
  std::filesystem::permissions(place.directory.path(), perms{0755});
  std::filesystem::permissions(place.state.path_of(web.uuid.text() + ".migrate"), perms{0644});
  constexpr uid_t nobody = 65534;
  constexpr int counted = 1, changed_nothing = 0, could_not_try = 2;
  pid_t child = ::fork();
  if (child == 0) {
    if (::setuid(nobody) != 0) ::_exit(could_not_try);
    bool discarded = place.announcements.discard(web.uuid).has_value();
    bool counts = place.announcements.consume(web.uuid, caller, 10s).has_value();
    ::_exit(discarded || counts ? counted : changed_nothing);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  CHECK(status == changed_nothing);
  CHECK(
      place.announcements.consume(web.uuid, caller, 10s).has_value());  // the file was not removed
}

TEST_CASE("an announcement from the future or with an invalid text does not count") {
  Place place;
  auto text = GENERATE(as<std::string>{}, "", "daemon = 7", "what?",
                       "milliseconds_since_boot = 99999999999999\ndaemon = 7\nthread = 70\n");
  REQUIRE(place.state.write(web.uuid.text() + ".migrate", text));
  CHECK_FALSE(place.announcements.consume(web.uuid, caller, 10s).has_value());
}
