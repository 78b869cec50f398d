#include "guard/lock/acquire.hpp"

#include "guard/lock/denial.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace std::chrono_literals;
using dlmfs::Level;
using dlmfs::StandInCluster;

namespace {

using namespace hook;

const std::optional<Record> no_record;

const Deadline do_not_wait{0ms};

}  // namespace

TEST_CASE("a start is denied at once if a process here waits for the lock's file") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto pin = node1.mount.trylock(locks, web_lock, Level::exclusive);
  REQUIRE(node2.mount.join(locks));
  REQUIRE_FALSE(node2.mount.queue(locks, web_lock, Level::exclusive));
  auto verdict = prepare(node2.context, web);
  CHECK(verdict.denied);
  CHECK(verdict.message.find("a process of this host waits for its file") != std::string::npos);
  Vm other{"other", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-444455556600")};
  CHECK_FALSE(prepare(node2.context, other).denied);
}

TEST_CASE("a denied trylock proves that no request of this host waits so its file is removed") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  node2.mount.hide_requests(true);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK(prepare(node2.context, web).denied);
  CHECK_FALSE(node2.has_file(locks, web_lock));
}

TEST_CASE("clean_up of an abandoned start unlocks") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  Acquire acquire(node1.context, *node1.context.keeper, web, Purpose::start, no_record,
                  do_not_wait);
  AcquireResult result = acquire.acquire();
  REQUIRE(result.kind == AcquireResult::Kind::granted);
  acquire.clean_up();
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.has_file(bells, web_lock));
}

TEST_CASE("clean_up of an abandoned attempt does not unlock what this host held before") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto record = node1.context.host.load_record(web);
  Acquire acquire(node1.context, *node1.context.keeper, web, Purpose::vm_may_run, record,
                  do_not_wait);
  AcquireResult result = acquire.acquire();
  REQUIRE(result.kind == AcquireResult::Kind::granted);
  acquire.clean_up();
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.context.host.load_record(web));
}

TEST_CASE("clean_up of an abandoned attempt finishes a release that came meanwhile") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto record = node1.context.host.load_record(web);
  Acquire acquire(node1.context, *node1.context.keeper, web, Purpose::vm_may_run, record,
                  do_not_wait);
  AcquireResult result = acquire.acquire();
  Record released = *record;
  released.released = true;
  REQUIRE(node1.context.host.records().write(released));
  acquire.clean_up();
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.context.host.load_record(web));
}

TEST_CASE("clean_up of an abandoned adoption unlocks if the VM has ended meanwhile") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  Acquire acquire(node1.context, *node1.context.keeper, web, Purpose::vm_may_run, no_record,
                  do_not_wait);
  AcquireResult result = acquire.acquire();
  REQUIRE(result.kind == AcquireResult::Kind::granted);
  acquire.clean_up();
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.context.host.load_record(web));
}

TEST_CASE("clean_up of an abandoned adoption writes the record if QEMU is alive") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  auto qemu = FakeHost::run_qemu(web);
  Acquire acquire(node1.context, *node1.context.keeper, web, Purpose::vm_may_run, no_record,
                  do_not_wait);
  REQUIRE(acquire.acquire().kind == AcquireResult::Kind::granted);
  REQUIRE(liveness(*qemu) == Liveness::alive);
  REQUIRE(find_qemu(web.uuid).liveness == Liveness::alive);
  acquire.clean_up();
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  REQUIRE(node1.context.host.load_record(web));
  CHECK(node1.context.host.load_record(web)->origin == Origin::adopted);
}

TEST_CASE("clean_up of a denied attempt changes nothing") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  Acquire acquire(node2.context, *node2.context.keeper, web, Purpose::start, no_record,
                  do_not_wait);
  AcquireResult result = acquire.acquire();
  REQUIRE(result.kind == AcquireResult::Kind::denied);
  acquire.clean_up();
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("acquire retries after one ETXTBSY because a race with an unlink here also causes it") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  node1.mount.fail_next(dlmfs::MountCall::trylock, ETXTBSY);
  Acquire acquire(node1.context, *node1.context.keeper, web, Purpose::start, no_record,
                  do_not_wait);
  CHECK(acquire.acquire().kind == AcquireResult::Kind::granted);
}

TEST_CASE("acquire reports asking_holder before it asks the holder") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  Acquire acquire(node2.context, *node2.context.keeper, web, Purpose::start, no_record,
                  do_not_wait);
  std::vector<AcquireResult::Kind> told;
  std::ignore = acquire.acquire([&](const AcquireResult& result) { told.push_back(result.kind); });
  CHECK(told == std::vector{AcquireResult::Kind::asking_holder});
}

TEST_CASE("a bell that names the denied host itself is out of date") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node2.context.cluster.host_name = "node1";
  Acquire acquire(node2.context, *node2.context.keeper, web, Purpose::start, no_record,
                  do_not_wait);
  CHECK_FALSE(acquire.acquire().holder);
}

TEST_CASE("the denied host gets the holder's name if the bell is written a second later") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE(node1.mount.trylock(locks, web_lock, Level::exclusive));
  std::chrono::milliseconds waited{0};
  bool written = false;
  node2.context.cluster.pause = [&](std::chrono::milliseconds pause) {
    waited += pause;
    if (waited < 1s || written) return;
    auto bell =
        Bell(node1.mount, bells, web_lock, node1.context.cluster.pause).arm({"node1", {}, {}});
    REQUIRE(bell);
    bell->lock.fd.reset();  // as a holder does when it is asked
    written = true;
  };
  Acquire acquire(node2.context, *node2.context.keeper, web, Purpose::start, no_record,
                  do_not_wait);
  AcquireResult result = acquire.acquire();
  REQUIRE(result.holder);
  CHECK(result.holder->host == "node1");
}

TEST_CASE("a lock is granted with a warning if its bell cannot be written") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  node1.mount.fail_next(dlmfs::MountCall::write_lvb, EIO);
  Acquire acquire(node1.context, *node1.context.keeper, web, Purpose::start, no_record,
                  do_not_wait);
  AcquireResult result = acquire.acquire();
  CHECK(result.kind == AcquireResult::Kind::granted);
  CHECK_FALSE(result.why.empty());
}
