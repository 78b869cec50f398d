#include "guard/state/vm_flock.hpp"

#include <regex>

#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace std::chrono_literals;

namespace {

struct FlockPlace {
  TemporaryDirectory directory;
  StateDirectory state = StateDirectory::open(directory.path()).value();
  Result<VmFlock> acquire(const dlmfs::Uuid& uuid, std::chrono::milliseconds patience = 0ms) {
    return VmFlock::acquire(state, uuid, "prepare", Deadline(patience));
  }
};

}  // namespace

TEST_CASE("hooks for one VM exclude each other and the error names the first one") {
  FlockPlace place;
  auto first = place.acquire(web.uuid);
  REQUIRE(first);
  auto second = place.acquire(web.uuid);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == EWOULDBLOCK);
  CHECK(
      std::regex_match(second.error().what,
                       std::regex(R"(another operation \(prepare, pid \d+, since 20\d\d-\d\d-\d\d )"
                                  R"(\d\d:\d\d:\d\d \S+\) is still running for this VM)")));
}

TEST_CASE("hooks for different VMs do not exclude each other") {
  FlockPlace place;
  auto first = place.acquire(web.uuid);
  REQUIRE(first);
  CHECK(place.acquire(*dlmfs::Uuid::parse("00000000-0000-0000-0000-000000000001")));
}

TEST_CASE("the flock of a hook that has ended is free") {
  FlockPlace place;
  {
    auto first = place.acquire(web.uuid);
    REQUIRE(first);
  }
  CHECK(place.acquire(web.uuid));
}

TEST_CASE("acquire fails at once if the holder of the flock is marked as abandoned") {
  FlockPlace place;
  auto first = place.acquire(web.uuid);
  REQUIRE(first);
  first->mark_abandoned();
  Deadline far(1h);
  auto second = VmFlock::acquire(place.state, web.uuid, "prepare", far);
  REQUIRE_FALSE(second);
  CHECK(second.error().what.find("still waits for the cluster") != std::string::npos);
}

TEST_CASE("dissolve removes the flock's file and unlocks") {
  FlockPlace place;
  auto first = place.acquire(web.uuid);
  REQUIRE(first);
  std::move(*first).dissolve();
  CHECK_FALSE(std::filesystem::exists(place.state.path_of(web.uuid.text() + ".flock")));
  CHECK(place.acquire(web.uuid));
}
