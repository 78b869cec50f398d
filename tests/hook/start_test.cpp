
#include "guard/host/incoming_migration.hpp"
#include "guard/host/vm_flock.hpp"
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

TEST_CASE("prepare takes the lock, writes the record and the bell") {
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

TEST_CASE("a start on a second host is refused with the name of the first, and leaves nothing") {
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

TEST_CASE("the holder is named as often as it is asked, and by its next bell as well") {
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

TEST_CASE("the release that follows a refused start gives nothing back") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(prepare(node2.context, web).denied);
  CHECK_FALSE(stopped(node2.context, web).denied);
  CHECK_FALSE(release(node2.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("a refused start removes the file an earlier attempt has left, and keeps a holder's") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(node2.mount.trylock(locks, web_lock, Level::exclusive));
  REQUIRE(node2.has_file(locks, web_lock));
  REQUIRE(prepare(node2.context, web).denied);
  CHECK_FALSE(node2.has_file(locks, web_lock));
}

TEST_CASE("a lock that cannot be recorded is not kept, and the start is refused") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  // A directory in the record's place: neither root's rights nor a full disk matter here.
  std::filesystem::create_directory(node1.context.host.directory.path_of(web.uuid.text()));
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "record can't be written"));
}

TEST_CASE("a cluster that does not answer in time refuses the start, and says so to a retry") {
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
  REQUIRE(flock);  // nobody inherits it here, where errands run in place
  flock->mark_abandoned();
  Verdict retry = prepare(node1.context, web);
  CHECK(retry.denied);
  CHECK(contains(retry.message, "an earlier attempt"));
  CHECK(contains(retry.message, "still waits for the cluster"));
}

TEST_CASE("a holder that does not tell its name in time is an unnamed one") {
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

TEST_CASE("a holder with an empty bell is an unnamed one") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE(node1.mount.trylock(locks, web_lock, Level::exclusive));
  Verdict verdict = prepare(node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "does not say its name"));
}

TEST_CASE("a cluster that is down refuses the start with what is wrong") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  node1.break_cluster("/dlm is not dlmfs");
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "/dlm is not dlmfs"));
}

TEST_CASE("a cluster that is down lets the VM start unguarded where that is configured") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  node1.context.settings.guard.on_cluster_down = conf::OnClusterDown::allow;
  node1.break_cluster("/dlm is not dlmfs");
  CHECK_FALSE(prepare(node1.context, web).denied);
  CHECK(node1.logged(LOG_CRIT, "event=unguarded"));
  CHECK_FALSE(start(node1.context, web).denied);
  CHECK_FALSE(node1.context.host.load_record(web));
}

TEST_CASE("even then a lock that another host holds refuses the start") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  node2.context.settings.guard.on_cluster_down = conf::OnClusterDown::allow;
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK(prepare(node2.context, web).denied);
}

TEST_CASE("a domain that can't be joined is a cluster that is down, with the usual reasons") {
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

TEST_CASE("a trace of an earlier start and a living QEMU refuse another start on the same host") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  Verdict verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, fmt::format("process {}", qemu->pid)));
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("a start that was cut off before QEMU ran does not stand in the next one's way") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK_FALSE(prepare(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("start is content with what prepare took") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK_FALSE(start(node1.context, web).denied);
}

TEST_CASE("start takes a lock that is missing, record and all") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(start(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.context.host.load_record(web));
}

TEST_CASE("start refuses when the lock has gone to another host since prepare") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(node2.mount.queue(locks, web_lock, Level::exclusive));
  CHECK(start(node1.context, web).denied);
}

TEST_CASE("started notes which process runs the VM") {
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

TEST_CASE("started takes the lock of a VM that has no record") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(started(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.context.host.load_record(web)->origin == Origin::adopted);
}

TEST_CASE("migrate takes nothing") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  CHECK_FALSE(migrate(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("an incoming migration is refused where no keeper runs, and the source keeps its lock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(migrate(node2.context, web).denied);
  Verdict verdict = prepare(node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "start-guard.service does not run on node2"));
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK_FALSE(contains(prepare(node2.context, web).message, "start-guard.service"));  // used up
}

TEST_CASE("a VM that this host holds is not started while /proc may hide its QEMU") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeProc proc;
  node1.context.paths.processes = proc.path();
  proc.hide();
  REQUIRE_FALSE(prepare(node1.context, web).denied);  // of a new one there is nothing to be hidden
  auto verdict = prepare(node1.context, web);
  CHECK(verdict.denied);
  CHECK(verdict.message.find("still runs here: /proc is mounted with hidepid") !=
        std::string::npos);
  proc.show();
  CHECK_FALSE(prepare(node1.context, web).denied);
}

TEST_CASE("after the domain was changed locks go back where they are, and no VM starts till then") {
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
  // And back.
  node1.context.cluster.domain = "vms";
  CHECK(prepare(node1.context, web).denied);
}

TEST_CASE("a restore takes nothing, and is never refused") {
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
