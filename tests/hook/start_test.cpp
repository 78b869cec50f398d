
#include "guard/state/incoming_migration.hpp"
#include "guard/state/vm_flock.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"
#include "tests/guard/fake_proc.hpp"

using namespace guard;
using dlmfs::Level;
using dlmfs::StandInCluster;

namespace {

using namespace hook;

}  // namespace

TEST_CASE("prepare acquires the lock and writes the record and the bell") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(cluster.level(1, bells, web_lock) == Level::exclusive);
  auto record = node1.context.host.load_record(web);
  REQUIRE(record);
  CHECK(record->vm.name == "web");
  CHECK(record->origin == Origin::start);
  CHECK(node1.logged("event=granted"));
}

TEST_CASE("a start on a second host is denied with the holder's name and leaves no file") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);

  Verdict verdict = prepare(node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "VM 'web'"));
  CHECK(contains(verdict.message, web.uuid.text()));
  CHECK(contains(verdict.message, "host node1 holds its lock since 20"));
  CHECK_FALSE(contains(verdict.message, "\n"));
  CHECK_FALSE(node2.has_file(locks, web_lock));
  CHECK_FALSE(node2.has_file(bells, web_lock));
  CHECK_FALSE(node2.context.host.load_record(web));
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("each denied start names the current holder") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK(contains(prepare(node2.context, web).message, "node1"));
  CHECK(contains(prepare(node2.context, web).message, "node1"));
  REQUIRE_FALSE(release(node1.context, web).denied);
  REQUIRE_FALSE(prepare(node2.context, web).denied);
  CHECK(contains(prepare(node1.context, web).message, "node2"));
}

TEST_CASE("release after a denied start does not unlock the holder's lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(prepare(node2.context, web).denied);
  CHECK_FALSE(stopped(node2.context, web).denied);
  CHECK_FALSE(release(node2.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("a denied start removes the lock file of an earlier attempt") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(node2.mount.trylock(locks, web_lock, Level::exclusive));
  REQUIRE(node2.has_file(locks, web_lock));
  REQUIRE(prepare(node2.context, web).denied);
  CHECK_FALSE(node2.has_file(locks, web_lock));
}

TEST_CASE("a start is denied if the record cannot be written") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  // A directory replaces the record file, so the write fails for root, too.
  std::filesystem::create_directory(node1.context.host.directory.path_of(web.uuid.text()));
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "record can't be written"));
}

TEST_CASE("a cluster that does not answer in time denies the start and the next attempt") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  cluster.kill(2);
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "the cluster did not answer within 10 s"));
  CHECK_FALSE(node1.context.host.load_record(web));

  auto flock =
      VmFlock::acquire(node1.context.host.directory, web.uuid, "prepare", node1.context.deadline);
  REQUIRE(flock);  // calls run in place: no child inherits it
  flock->mark_abandoned();
  Verdict retry = prepare(node1.context, web);
  CHECK(retry.denied);
  CHECK(contains(retry.message, "an earlier attempt"));
  CHECK(contains(retry.message, "still waits for the cluster"));
}

TEST_CASE("a start is denied without the holder's name if its bell does not answer in time") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto pinned = node1.mount.trylock(bells, web_lock, Level::exclusive);
  REQUIRE(pinned);
  Verdict verdict = prepare(node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "did not say its name within 10 s"));
}

TEST_CASE("a start is denied without the holder's name if its bell is empty") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE(node1.mount.trylock(locks, web_lock, Level::exclusive));
  Verdict verdict = prepare(node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "does not say its name"));
}

TEST_CASE("a start is denied with the reason if the cluster is down") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  node1.break_cluster("/dlm is not dlmfs");
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "/dlm is not dlmfs"));
}

TEST_CASE("a VM starts without a lock if on_cluster_down is allow and the cluster is down") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  node1.context.settings.guard.on_cluster_down = conf::OnClusterDown::allow;
  node1.break_cluster("/dlm is not dlmfs");
  CHECK_FALSE(prepare(node1.context, web).denied);
  CHECK(node1.logged(LOG_CRIT, "event=unguarded"));
  CHECK_FALSE(start(node1.context, web).denied);
  CHECK_FALSE(node1.context.host.load_record(web));
}

TEST_CASE("a VM that starts without a lock has no record of its last run") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.context.settings.guard.on_cluster_down = conf::OnClusterDown::allow;
  node1.break_cluster("/dlm is not dlmfs");
  REQUIRE_FALSE(release(node1.context, web).denied);
  REQUIRE(node1.context.host.load_record(web)->released);
  CHECK_FALSE(prepare(node1.context, web).denied);
  CHECK(node1.logged(LOG_CRIT, "event=unguarded"));
  CHECK_FALSE(node1.context.host.load_record(web));
}

TEST_CASE("on_cluster_down = allow does not start a VM beside its living QEMU") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.context.settings.guard.on_cluster_down = conf::OnClusterDown::allow;
  node1.break_cluster("/dlm is not dlmfs");
  auto qemu = FakeHost::run_qemu(web);
  REQUIRE_FALSE(release(node1.context, web).denied);
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "still runs on this host"));
  CHECK(node1.context.host.load_record(web));
}

TEST_CASE("on_cluster_down = allow does not start a VM whose lock another host holds") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  node2.context.settings.guard.on_cluster_down = conf::OnClusterDown::allow;
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK(prepare(node2.context, web).denied);
}

TEST_CASE("a DLM domain that cannot be joined denies the start with the usual causes") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  node1.mount.fail_next(dlmfs::MountCall::join, EINVAL);
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "joining the DLM domain vms"));
  CHECK(contains(verdict.message, "heartbeat does not run"));
}

TEST_CASE("an exempt VM starts without a lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  node1.context.settings.guard.exempt = {GENERATE(as<std::string>{}, "w*", web.uuid.text())};
  CHECK_FALSE(prepare(node1.context, web).denied);
  CHECK_FALSE(start(node1.context, web).denied);
  CHECK_FALSE(started(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("a start is denied on the holder's host while the VM's QEMU is alive") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, fmt::format("process {}", qemu->pid)));
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("a start succeeds after an earlier start ended before QEMU ran") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK_FALSE(prepare(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("start succeeds if prepare acquired the lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK_FALSE(start(node1.context, web).denied);
}

TEST_CASE("start acquires a missing lock and writes the record") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(start(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.context.host.load_record(web));
}

TEST_CASE("start is denied if another host acquired the lock after prepare") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(node2.mount.queue(locks, web_lock, Level::exclusive));
  CHECK(start(node1.context, web).denied);
}

TEST_CASE("started records the VM's process") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  node1.write_pid_file(web, *qemu);
  REQUIRE_FALSE(started(node1.context, web).denied);
  auto record = node1.context.host.load_record(web);
  REQUIRE(record);
  REQUIRE(record->qemu);
  CHECK(record->qemu->pid == qemu->pid);
}

TEST_CASE("started acquires the lock of a VM without a record") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(started(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.context.host.load_record(web)->origin == Origin::adopted);
}

TEST_CASE("migrate acquires no lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  CHECK_FALSE(migrate(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("an incoming migration without a keeper is denied and the source keeps its lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(migrate(node2.context, web).denied);
  Verdict verdict = prepare(node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "start-guard.service does not run on node2"));
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK_FALSE(contains(prepare(node2.context, web).message, "start-guard.service"));  // consumed
}

TEST_CASE("a second start is denied while /proc may hide the VM's QEMU") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeProc proc;
  node1.context.paths.processes = proc.path();
  proc.hide();
  REQUIRE_FALSE(prepare(node1.context, web).denied);  // a new VM has no QEMU to hide
  auto verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(verdict.message.find("still runs here: /proc is mounted with hidepid") !=
        std::string::npos);
  proc.show();
  CHECK_FALSE(prepare(node1.context, web).denied);
}

TEST_CASE("no VM starts after dlmfs.domain changed until the old domain's locks are released") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  Vm db{"db", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-000000000001")};
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.context.cluster.domain = "other";
  auto verdict = prepare(node1.context, db);
  CHECK(verdict.denied);
  CHECK(verdict.message.find("in the DLM domain 'vms', and dlmfs.domain is 'other' now") !=
        std::string::npos);
  CHECK_FALSE(release(node1.context, db).denied);  // as libvirt does after a denied start
  CHECK_FALSE(reconnect(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.has_file(bells, web_lock));
  CHECK_FALSE(prepare(node1.context, db).denied);
  CHECK(node1.context.host.load_record(db)->domain == "other");
  // Change the domain back.
  node1.context.cluster.domain = "vms";
  CHECK(prepare(node1.context, web).denied);
}

TEST_CASE("restore acquires no lock and is never denied") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  CHECK_FALSE(restore(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.context.host.load_record(web));
  std::filesystem::create_directories(
      node2.context.host.directory.path_of(web.uuid.text() + ".migrate/can't-be-removed"));
  CHECK_FALSE(restore(node2.context, web).denied);
  CHECK(node2.logged(LOG_ERR, "event=announcement-not-removed"));
}
