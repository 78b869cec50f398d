// Uses libvirt's test driver, which needs no daemon. It has one running VM with the name test.

#include "guard/keeper/libvirt.hpp"

#include "tests/catch.hpp"

using namespace guard;

namespace {

const dlmfs::Uuid of_test = *dlmfs::Uuid::parse("6695eb01-f6a4-8304-79aa-97f2502e193f");

}  // namespace

TEST_CASE("Libvirt lists the active VMs") {
  Libvirt libvirt("test:///default");
  auto active = libvirt.active();
  REQUIRE(active);
  REQUIRE(active->size() == 1);
  CHECK(active->front().name == "test");
  CHECK(active->front().uuid == of_test);
}

TEST_CASE("a VM that libvirt does not know is not active") {
  Libvirt libvirt("test:///default");
  auto state = libvirt.state_of(*dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-4444555566ff"));
  REQUIRE(state);
  CHECK_FALSE(state->active);
}

TEST_CASE("each call without a libvirt daemon fails with an error that names the socket") {
  Libvirt libvirt("qemu+unix:///system?socket=/nowhere/libvirt-sock");
  for (int times = 0; times < 2; ++times) {
    auto active = libvirt.active();
    REQUIRE_FALSE(active);
    CHECK(active.error().what.find("/nowhere/libvirt-sock") != std::string::npos);
    CHECK_FALSE(libvirt.state_of(of_test));
  }
}
