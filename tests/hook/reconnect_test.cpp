
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace hook;
using dlmfs::Level;
using dlmfs::StandInCluster;

TEST_CASE("reconnect keeps the lock of a VM if this host holds it") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK_FALSE(reconnect(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.context.host.load_record(web)->origin == Origin::start);
}

TEST_CASE("reconnect adopts a running VM without a lock and records its process") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  auto qemu = FakeHost::run_qemu(web);
  node1.write_pid_file(web, *qemu);
  CHECK_FALSE(reconnect(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  auto record = node1.context.host.load_record(web);
  REQUIRE(record);
  CHECK(record->origin == Origin::adopted);
  REQUIRE(record->qemu);
  CHECK(record->qemu->pid == qemu->pid);
  CHECK(node1.logged("event=adopted"));
}

TEST_CASE("reconnect raises an alarm with both host names if another host holds the lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK_FALSE(reconnect(node2.context, web).denied);
  CHECK(node2.logged(LOG_CRIT, "event=conflict"));
  CHECK(node2.logged(LOG_CRIT, "here=node2 holder=node1"));
  CHECK_FALSE(node2.has_file(locks, web_lock));
}

TEST_CASE("reconnect can be configured to deny on a conflict and names the holder") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  node2.context.settings.guard.on_reconnect_conflict = conf::OnReconnectConflict::kill;
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  Verdict verdict = reconnect(node2.context, web);
  CHECK(verdict.denied);
  CHECK(verdict.message.find("node1") != std::string::npos);
}

TEST_CASE("reconnect denies only on a conflict even if it is configured to deny") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  node1.context.settings.guard.on_reconnect_conflict = conf::OnReconnectConflict::kill;
  SECTION("the cluster is down") {
    node1.break_cluster("/dlm is not dlmfs");
  }
  SECTION("the cluster does not answer") {
    cluster.kill(2);
  }
  SECTION("the lock cannot be examined") {
    node1.mount.fail_next(dlmfs::MountCall::exists, EIO);
  }
  CHECK_FALSE(reconnect(node1.context, web).denied);
  CHECK(node1.logged(LOG_CRIT, "event=lock-not-checked"));
}

TEST_CASE("reconnect acquires the lock even if the record cannot be written") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  std::filesystem::create_directory(
      node1.context.host.directory.path_of("." + web.uuid.text() + ".new"));
  CHECK_FALSE(reconnect(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.logged(LOG_ERR, "event=record-not-written"));
}
