#include "guard/release.hpp"

#include <signal.h>

#include "guard/start.hpp"
#include "tests/catch.hpp"
#include "tests/guard/made_up_host.hpp"

using namespace guard;
using dlmfs::Level;
using dlmfs::StandInCluster;

TEST_CASE("release gives back lock, bell and record") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.world, web).refused);
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.has_file(bells, web_lock));
  CHECK_FALSE(node1.world.recall(web));
  CHECK(node1.logged("event=given-back"));
}

TEST_CASE("release without a record touches no lock") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  REQUIRE(node1.mount.trylock(locks, web_lock, Level::exclusive));
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("the lock stays while the noted QEMU lives, and the log says so at crit") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.world, web).refused);
  auto qemu = MadeUpHost::run_qemu(web);
  node1.write_pid_file(web, *qemu);
  REQUIRE_FALSE(stopped(node1.world, web).refused);
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.logged(LOG_CRIT, "event=qemu-outlives-release"));
  CHECK(node1.world.recall(web)->released);
}

TEST_CASE("the lock stays while a QEMU lives that nobody has noted") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.world, web).refused);
  auto qemu = MadeUpHost::run_qemu(web);
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("a QEMU that is dead, even as a zombie, keeps no lock") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.world, web).refused);
  auto qemu = MadeUpHost::run_qemu(web);
  node1.write_pid_file(web, *qemu);
  REQUIRE_FALSE(started(node1.world, web).refused);
  ::kill(qemu->pid, SIGKILL);
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("a lock that a process here has open stays, with its bell, marked as released") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  MadeUpHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.world, web).refused);
  auto open = node1.mount.trylock(locks, web_lock, Level::exclusive);
  REQUIRE(open);
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK(node1.world.recall(web)->released);
  CHECK(node1.logged("event=lock-open-here"));
  CHECK(prepare(node2.world, web).message.find("node1") != std::string::npos);
  open->fd.reset();
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("release passes, and the record tells, when dlmfs is gone or does not answer") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.world, web).refused);
  SECTION("gone") {
    node1.break_cluster("/dlm is not dlmfs");
  }
  SECTION("an unlink that fails") {
    node1.mount.fail_next(dlmfs::MountCall::unlink, EIO);
    node1.mount.fail_next(dlmfs::MountCall::unlink, EIO);
  }
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK(node1.world.recall(web)->released);
  CHECK(node1.logged(LOG_ERR, "event=not-given-back"));
}

TEST_CASE("a record that can't be read still tells that this host took the lock") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.world, web).refused);
  REQUIRE(node1.world.state.write(web.uuid.text(), "what is this?"));
  CHECK_FALSE(release(node1.world, web).refused);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("the next holder is not told of the last one") {
  StandInCluster cluster;
  MadeUpHost node1(cluster, 1);
  MadeUpHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.world, web).refused);
  REQUIRE_FALSE(release(node1.world, web).refused);
  REQUIRE(node2.mount.trylock(locks, web_lock, Level::exclusive));
  CHECK(prepare(node1.world, web).message.find("node1") == std::string::npos);
}
