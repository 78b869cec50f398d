// Uses libvirt's test driver, which needs no daemon. It has one running VM with the name test.

#include "guard/keeper/libvirt.hpp"

#include <condition_variable>

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

TEST_CASE("Libvirt reports a VM that starts and one that ends") {
  struct Reported {
    std::mutex mutex;
    std::condition_variable more;
    std::vector<VmChange> changes;
  };
  auto reported = std::make_shared<Reported>();
  Libvirt libvirt("test:///default");
  libvirt.report_to([reported](const auto& change) {
    std::lock_guard lock(reported->mutex);
    reported->changes.push_back(change.value());
    reported->more.notify_all();
  });
  REQUIRE(libvirt.active());
  std::unique_ptr<virConnect, int (*)(virConnectPtr)> other(virConnectOpen("test:///default"),
                                                            virConnectClose);
  std::unique_ptr<virDomain, int (*)(virDomainPtr)> vm(virDomainLookupByName(other.get(), "test"),
                                                       virDomainFree);
  REQUIRE(virDomainSuspend(vm.get()) == 0);  // of no interest
  REQUIRE(virDomainDestroy(vm.get()) == 0);
  REQUIRE(virDomainCreate(vm.get()) == 0);
  std::unique_lock lock(reported->mutex);
  REQUIRE(reported->more.wait_for(lock, std::chrono::seconds(20),
                                  [&] { return reported->changes.size() == 2; }));
  CHECK(reported->changes[0].vm.name == "test");
  CHECK(reported->changes[0].vm.uuid == of_test);
  CHECK_FALSE(reported->changes[0].active);
  CHECK(reported->changes[1].active);
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
