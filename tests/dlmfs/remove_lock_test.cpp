#include "dlmfs/remove_lock.hpp"

#include "tests/catch.hpp"
#include "tests/dlmfs/stand_in.hpp"

using namespace dlmfs;

namespace {

const DomainName removed_from = *DomainName::parse("vms");
const LockName removed{*Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff")};

struct TwoHosts {
  StandInCluster cluster;
  StandInHost& holder = cluster.host(1);
  StandInHost& here = cluster.host(2);
  OpenLock pin;

  TwoHosts() {
    REQUIRE(holder.join(removed_from));
    REQUIRE(here.join(removed_from));
    pin = std::move(*holder.trylock(removed_from, removed, Level::exclusive));
  }
  static void do_nothing() {}
  Result<Removal> remove(Standing standing, std::function<void()> meanwhile = do_nothing) {
    return remove_lock(here, removed_from, removed, standing,
                       [meanwhile](std::chrono::milliseconds) { meanwhile(); });
  }
};

}  // namespace

TEST_CASE("remove_lock removes the file of a denied trylock") {
  TwoHosts hosts;
  REQUIRE_FALSE(hosts.here.trylock(removed_from, removed, Level::exclusive));
  CHECK(hosts.remove(Standing::unknown) == Removal::done);
  CHECK_FALSE(*hosts.here.exists(removed_from, removed));
}

TEST_CASE("remove_lock keeps a file for which a process here waits") {
  TwoHosts hosts;
  auto level = GENERATE(Level::exclusive, Level::protected_read);
  REQUIRE_FALSE(hosts.here.queue(removed_from, removed, level));
  auto standing = GENERATE(Standing::unknown, Standing::granted);
  CHECK(hosts.remove(standing) == Removal::waited_for);
  CHECK(*hosts.here.exists(removed_from, removed));
}

TEST_CASE("remove_lock keeps the file of a lock not held here if waiting requests are unknown") {
  TwoHosts hosts;
  hosts.here.hide_requests(true);
  REQUIRE_FALSE(hosts.here.trylock(removed_from, removed, Level::exclusive));
  CHECK(hosts.remove(Standing::unknown) == Removal::cannot_tell);
  CHECK(*hosts.here.exists(removed_from, removed));
}

TEST_CASE("remove_lock removes a lock granted to this host unless a process waits") {
  TwoHosts hosts;
  hosts.here.hide_requests(true);
  hosts.pin.fd.reset();
  REQUIRE(hosts.here.queue(removed_from, removed, Level::exclusive));
  SECTION("no process waits") {
    CHECK(hosts.remove(Standing::granted) == Removal::done);
  }
  SECTION("a process waits so this call sleeps but does not block the directory") {
    hosts.pin = std::move(*hosts.holder.queue(removed_from, removed, Level::exclusive));
    REQUIRE_FALSE(hosts.here.queue(removed_from, removed, Level::exclusive));
    auto removal = hosts.remove(Standing::granted);
    REQUIRE_FALSE(removal);
    CHECK(would_sleep(removal.error()));
    CHECK(hosts.here.trylock(removed_from, *Name::parse("other"), Level::exclusive));
  }
}

TEST_CASE("remove_lock detects a request made after this host lost its level") {
  TwoHosts hosts;
  hosts.pin.fd.reset();
  REQUIRE(hosts.here.queue(removed_from, removed, Level::exclusive));
  hosts.pin = std::move(*hosts.holder.queue(removed_from, removed, Level::exclusive));
  bool asked = false;
  auto removal = hosts.remove(Standing::granted, [&] {
    if (std::exchange(asked, true)) return;
    REQUIRE_FALSE(hosts.here.queue(removed_from, removed, Level::exclusive));
  });
  CHECK(removal == Removal::waited_for);
}

TEST_CASE("remove_lock keeps a lock that a process of this host has open") {
  TwoHosts hosts;
  CHECK(remove_lock(hosts.holder, removed_from, removed, Standing::exclusive,
                    [](std::chrono::milliseconds) {}) == Removal::open_here);
  CHECK(hosts.cluster.level(1, removed_from, removed) == Level::exclusive);
}
