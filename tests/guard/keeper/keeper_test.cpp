#include "guard/keeper/keeper.hpp"

#include "guard/host/vm_flock.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/keeper/kept_host.hpp"

using namespace guard;
using namespace hook;
using namespace std::chrono_literals;
using dlmfs::Level;
using dlmfs::StandInCluster;

TEST_CASE("a granted start's lock and bell are kept open") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK(node1.keeper->level(web) == Level::exclusive);
  CHECK(node1.keeper->count() == 1);
  CHECK(node1.logged("kept=yes"));
}

TEST_CASE("a kept lock is not taken by a request queued elsewhere, and the log tells of it once") {
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

TEST_CASE("without a keeper that request takes the lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(node2.mount.queue(locks, web_lock, Level::exclusive));
  CHECK(cluster.level(1, locks, web_lock) == std::nullopt);
}

TEST_CASE("a release gives a kept lock back") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(release(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.has_file(bells, web_lock));
  CHECK(node1.keeper->count() == 0);
}

TEST_CASE("a denied host is told who holds the lock as often as it asks") {
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

TEST_CASE("while libvirt does not answer, the bell still does, two seconds later") {
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

TEST_CASE("libvirt is asked about a VM once at a time, however often its bell rings") {
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
  // The answer to the first comes, and then one that is as new as the ring.
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

TEST_CASE("a bell that can't be armed again is tried until its asker has gone") {
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

TEST_CASE("a bell that another host had open at the start is armed when that host lets go") {
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

TEST_CASE("a keeper picks up what its predecessor kept") {
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

TEST_CASE("start and reconnect go by what the keeper has open, and ask the cluster nothing") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(node2.mount.queue(locks, web_lock, Level::exclusive));  // an open here would sleep
  CHECK_FALSE(start(node1.context, web).denied);
  CHECK_FALSE(reconnect(node1.context, web).denied);
  CHECK(node1.logged("event=held"));
}

TEST_CASE("a lock whose QEMU outlives its release goes back when QEMU has gone") {
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

TEST_CASE("so does one that was released while no keeper ran") {
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

TEST_CASE("a release that finds the keeper's step asleep is finished by the keeper") {
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

TEST_CASE("the status tells how many locks are kept, and what is amiss") {
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

TEST_CASE("a keeper that has many locks to pick up answers whoever asks meanwhile") {
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
