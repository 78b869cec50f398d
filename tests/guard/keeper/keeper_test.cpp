#include "guard/keeper/keeper.hpp"

#include "guard/state/vm_flock.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/keeper/kept_host.hpp"

using namespace guard;
using namespace hook;
using namespace std::chrono_literals;
using dlmfs::Level;
using dlmfs::StandInCluster;

TEST_CASE("the keeper keeps the lock and the bell of a granted start open") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK(node1.keeper->level(web) == Level::exclusive);
  CHECK(node1.keeper->count() == 1);
  CHECK(node1.logged("kept=yes"));
}

TEST_CASE("a request queued elsewhere does not get a kept lock and is logged once") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.libvirt.states[web.uuid] = {.active = true};
  auto level = GENERATE(Level::exclusive, Level::protected_read);
  REQUIRE_FALSE(node2.mount.queue(locks, web_lock, level));
  node1.loop.settle();
  node1.loop.pass(60s);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.count_logged("event=request-queued") == 1);
}

TEST_CASE("without a keeper a queued request acquires the lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(node2.mount.queue(locks, web_lock, Level::exclusive));
  CHECK(cluster.level(1, locks, web_lock) == std::nullopt);
}

TEST_CASE("release unlocks a kept lock") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(release(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.has_file(bells, web_lock));
  CHECK(node1.keeper->count() == 0);
}

TEST_CASE("each denied start gets the holder's name") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  for (int times = 0; times < 3; ++times) {
    CHECK(prepare(node2.context, web).message.find("host node1 holds its lock") !=
          std::string::npos);
    node1.loop.settle();
    CHECK(cluster.level(1, bells, web_lock) == Level::exclusive);
  }
}

TEST_CASE("the bell answers after two seconds if libvirt does not answer") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.loop.hold(Loop::WorkerPool::libvirt, true);
  auto asking = node2.mount.queue(bells, web_lock, Level::protected_read);
  REQUIRE_FALSE(asking);
  node1.loop.pass(1900ms);
  CHECK_FALSE(node2.mount.finished(bells, web_lock));
  node1.loop.pass(200ms);
  auto answered = node2.mount.finished(bells, web_lock);
  REQUIRE(answered);
  REQUIRE(*answered);
  CHECK(holder_from_lvb(*node2.mount.read_lvb(**answered))->state == Holder::State::libvirt_silent);
}

TEST_CASE("libvirt is asked about a VM once at a time although its bell rings repeatedly") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.loop.hold(Loop::WorkerPool::libvirt, true);
  for (int ring = 0; ring < 3; ++ring) {
    REQUIRE_FALSE(node2.mount.queue(bells, web_lock, Level::protected_read));
    node1.loop.pass(2100ms);
    auto answered = node2.mount.finished(bells, web_lock);
    REQUIRE(answered);
    REQUIRE(*answered);
    CHECK(holder_from_lvb(*node2.mount.read_lvb(**answered))->state ==
          Holder::State::libvirt_silent);
    (*answered)->fd.reset();
    REQUIRE(node2.mount.unlink(bells, web_lock));
    node1.loop.pass(1s);
    CHECK(node1.loop.waiting(Loop::WorkerPool::libvirt) == 1);
  }
  // The first query ends, and then the keeper asks again, because that answer is older than the
  // ring.
  REQUIRE_FALSE(node2.mount.queue(bells, web_lock, Level::protected_read));
  node1.libvirt.asked = 0;
  node1.loop.hold(Loop::WorkerPool::libvirt, false);
  node1.loop.settle();
  CHECK(node1.libvirt.asked == 2);
  auto answered = node2.mount.finished(bells, web_lock);
  REQUIRE(answered);
  REQUIRE(*answered);
  CHECK(holder_from_lvb(*node2.mount.read_lvb(**answered))->state == Holder::State::no_migration);
}

TEST_CASE("the keeper retries to arm a bell until the other host has closed it") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto asking = node2.mount.queue(bells, web_lock, Level::protected_read);
  REQUIRE(asking);
  node1.loop.pass(5s);
  CHECK(cluster.level(1, bells, web_lock) != Level::exclusive);
  asking->fd.reset();
  REQUIRE(node2.mount.unlink(bells, web_lock));
  node1.loop.pass(2s);
  CHECK(cluster.level(1, bells, web_lock) == Level::exclusive);
}

TEST_CASE("a bell that another host had open at the start is armed after that host closes it") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE(node2.mount.join(bells));
  auto open = node2.mount.trylock(bells, web_lock, Level::protected_read);
  REQUIRE(open);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(node1.logged("event=bell-not-written"));
  node1.loop.pass(5s);
  CHECK(cluster.level(1, bells, web_lock) != Level::exclusive);
  open->fd.reset();
  REQUIRE(node2.mount.unlink(bells, web_lock));
  node1.loop.pass(2s);
  CHECK(cluster.level(1, bells, web_lock) == Level::exclusive);
  CHECK(prepare(node2.context, web).message.find("host node1 holds its lock") != std::string::npos);
}

TEST_CASE("a new keeper opens the locks that its predecessor kept") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.start_keeper();
  CHECK(node1.keeper->level(web) == Level::exclusive);
  REQUIRE_FALSE(node2.mount.queue(locks, web_lock, Level::exclusive));
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("start and reconnect use the keeper's lock and do not ask the cluster") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(node2.mount.queue(locks, web_lock, Level::exclusive));  // an open here would sleep
  CHECK_FALSE(start(node1.context, web).denied);
  CHECK_FALSE(reconnect(node1.context, web).denied);
  CHECK(node1.logged("event=held"));
}

TEST_CASE("the keeper unlocks after a QEMU that outlived its release exits") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  REQUIRE_FALSE(release(node1.context, web).denied);
  node1.loop.settle();
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  node1.loop.pass(60s);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.logged(LOG_CRIT, "event=qemu-outlives-release"));
  qemu.reset();
  node1.loop.pass(1s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.context.host.load_record(web));
  CHECK(node1.logged("by=keeper"));
}

TEST_CASE("the keeper unlocks a VM that was released while no keeper ran after its QEMU exits") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.kill_keeper();
  auto qemu = FakeHost::run_qemu(web);
  REQUIRE_FALSE(release(node1.context, web).denied);
  node1.start_keeper();
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  qemu.reset();
  node1.loop.pass(1s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("the keeper finishes a release that came while its worker was blocked") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.loop.hold(Loop::WorkerPool::cluster, true);
  REQUIRE(node2.mount.queue(bells, web_lock, Level::protected_read));  // the bell is armed again
  REQUIRE(node2.mount.unlink(bells, web_lock));
  REQUIRE_FALSE(release(node1.context, web).denied);
  CHECK(node1.has_file(locks, web_lock));
  CHECK(node1.context.host.load_record(web)->released);
  node1.loop.hold(Loop::WorkerPool::cluster, false);
  node1.loop.pass(2s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.context.host.load_record(web));
}

TEST_CASE("the status contains the number of kept locks and the current problem") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  CHECK(node1.keeper->status() == "keeping 0 locks");
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK(node1.keeper->status() == "keeping 1 lock");
  node1.libvirt.broken = true;
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.loop.pass(31s);
  CHECK(node1.keeper->status() == "keeping 1 lock; libvirt is not there");
}

TEST_CASE("a keeper answers requests while it opens many locks") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  node1.fd_store.working = false;
  constexpr std::size_t many = 50;
  for (std::size_t number = 0; number < many; ++number) {
    auto uuid = dlmfs::Uuid::parse(fmt::format("05ca1e00-0000-4000-8000-{:012}", number));
    Vm vm{fmt::format("vm{}", number), *uuid, "lxc"};
    REQUIRE_FALSE(prepare(node1.context, vm).denied);
  }
  node1.begin_keeper();
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.libvirt.states[web.uuid] = {.active = true};
  CHECK(prepare(node2.context, web).message.find("host node1 holds its lock") != std::string::npos);
  CHECK(node1.keeper->count() < many);
  node1.loop.settle();
  CHECK(node1.keeper->count() == many + 1);
}
