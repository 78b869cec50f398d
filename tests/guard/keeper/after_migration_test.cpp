// After a live migration or its failure, one host holds the shared lock alone again.

#include "guard/lock/acquire.hpp"
#include "guard/state/incoming_migration.hpp"
#include "hook/handlers.hpp"
#include "tests/guard/keeper/migration.hpp"

using namespace guard;
using namespace hook;
using namespace std::chrono_literals;
using dlmfs::Level;
using Job = VmState::Job;

namespace {

/// Leaves the reply of a target that accepts a hand-over.
void accept_hand_over(KeptHost& target) {
  Bell bell(target.mount, bells, web_lock, target.context.cluster.pause);
  REQUIRE(bell.exchange([&](const std::optional<Holder>& found, auto) {
    Holder left = *found;
    left.state = Holder::State::accepted;
    left.host = target.context.cluster.host_name;
    return std::optional(left);
  }));
}

}  // namespace

TEST_CASE("after a migration the target holds the lock alone and its name is reported") {
  Migration vm;
  vm.hand_over();
  vm.node1.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node1.context, web).denied);
  vm.arrive();
  vm.pass(1100ms);
  CHECK(vm.level(1) == std::nullopt);
  CHECK(vm.level(2) == Level::exclusive);
  CHECK(vm.node2.logged("event=exclusive"));
  CHECK_FALSE(vm.node2.context.host.load_record(web)->shared);
  CHECK(contains(prepare(vm.node3.context, web).message, "host node2"));
  CHECK_FALSE(vm.node1.has_file(locks, web_lock));
  CHECK_FALSE(vm.node1.has_file(bells, web_lock));
}

TEST_CASE("a target whose keeper was restarted before there was a record holds the lock alone") {
  Migration vm;
  vm.hand_over();
  auto record = vm.node2.context.host.load_record(web);
  REQUIRE(record);
  REQUIRE(vm.node2.context.host.records().remove(web.uuid));
  vm.node2.start_keeper();
  vm.node2.context.host.write_record(*record);
  vm.arrive();
  REQUIRE_FALSE(release(vm.node1.context, web).denied);
  vm.pass(vm.node2.context.settings.keeper.reconcile_interval);
  vm.pass(2s);
  CHECK(vm.level(2) == Level::exclusive);
}

TEST_CASE("after a failed migration the source holds the lock alone") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.context, web).denied);
  CHECK(vm.level(1) == Level::protected_read);
  vm.pass(5s);
  CHECK(vm.level(1) == Level::protected_read);  // libvirt still reports the job
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.pass(1100ms);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node1.context.host.load_record(web)->shared);
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a start after a hand-over is allowed only for an incoming QEMU") {
  Migration vm;
  vm.hand_over();
  SECTION("a QEMU without -incoming is denied") {
    auto qemu = FakeHost::run_qemu(web);
    vm.node2.write_pid_file(web, *qemu);
    Verdict verdict = started(vm.node2.context, web);
    CHECK(verdict.denied);
    CHECK(contains(verdict.message, "no -incoming"));
    CHECK(vm.node2.logged(LOG_CRIT, "event=not-a-migration"));
  }
  SECTION("a QEMU that cannot be examined is denied") {
    CHECK(started(vm.node2.context, web).denied);
  }
  SECTION("reconnect denies a QEMU that started did not check") {
    auto qemu = FakeHost::run_qemu(web);
    vm.node2.write_pid_file(web, *qemu);
    CHECK(reconnect(vm.node2.context, web).denied);
  }
  SECTION("an incoming QEMU is allowed") {
    auto qemu = FakeHost::run_qemu(web, "-incoming");
    vm.node2.write_pid_file(web, *qemu);
    vm.node2.write_libvirt_job(web, "migration in");
    CHECK_FALSE(started(vm.node2.context, web).denied);
    CHECK_FALSE(reconnect(vm.node2.context, web).denied);
    CHECK(vm.node2.context.host.load_record(web)->qemu->pid == qemu->pid);
    CHECK_FALSE(vm.node2.logged("event=job-unknown"));
  }
  SECTION("a QEMU that libvirt restores or reverts to a snapshot is denied") {
    auto qemu = FakeHost::run_qemu(web, "-incoming");
    vm.node2.write_pid_file(web, *qemu);
    auto job = GENERATE(as<std::string>{}, "start", "snapshot");
    vm.node2.write_libvirt_job(web, job);
    Verdict verdict = started(vm.node2.context, web);
    CHECK(verdict.denied);
    CHECK(contains(verdict.message, "('" + job + "')"));
    CHECK(vm.node2.logged(LOG_CRIT, "event=not-a-migration"));
  }
  SECTION("an incoming QEMU with an unknown libvirt job is allowed and logged") {
    auto qemu = FakeHost::run_qemu(web, "-incoming");
    vm.node2.write_pid_file(web, *qemu);
    CHECK_FALSE(started(vm.node2.context, web).denied);
    CHECK(vm.node2.logged(LOG_WARNING, "event=job-unknown"));
  }
}

TEST_CASE("started allows a restore if the lock was not acquired by a hand-over") {
  dlmfs::StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web, "-incoming");
  node1.write_pid_file(web, *qemu);
  node1.write_libvirt_job(web, "start");
  CHECK_FALSE(started(node1.context, web).denied);
}

TEST_CASE("both keepers raise one alarm if the VM runs on both hosts after a migration") {
  Migration vm;
  vm.hand_over();
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.arrive();
  for (int seconds = 0; seconds < 60; ++seconds)
    vm.pass(1s);
  CHECK(vm.node1.count_logged("event=conflict") == 1);
  CHECK(vm.node2.count_logged("event=conflict") == 1);
  CHECK(vm.node1.logged(LOG_CRIT, "here=node1 holder=node2"));
  CHECK(vm.node2.logged(LOG_CRIT, "here=node2 holder=node1"));
  CHECK(vm.level(1) == Level::protected_read);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("no alarm is raised while the source's libvirt still reports the migration") {
  Migration vm;
  vm.node1.libvirt.jobs_age = true;
  vm.hand_over();
  vm.arrive();
  for (int seconds = 0; seconds < 60; ++seconds)
    vm.pass(1s);
  CHECK_FALSE(vm.node1.logged("event=conflict"));
  CHECK_FALSE(vm.node2.logged("event=conflict"));
}

TEST_CASE("the source holds the lock alone after the target dies") {
  Migration vm;
  vm.hand_over();
  vm.cluster.kill(2);
  vm.cluster.evict(2);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("the lock of a target whose hook was killed after the hand-over is removed") {
  Migration vm;
  // Simulates that the target's child process was granted PR after its parent was killed.
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  auto announcement = IncomingMigrations(vm.node2.context.host.directory)
                          .consume(web.uuid, vm.node2.context.caller, 10s);
  std::optional<Record> none;
  Acquire acquire(vm.node2.context, *vm.node2.context.keeper, web, Purpose::start, none,
                  Deadline(0ms), announcement);
  AcquireResult result = acquire.acquire();
  REQUIRE(result.kind == AcquireResult::Kind::granted);
  CHECK(vm.level(2) == Level::protected_read);
  SECTION("the child process removes it") {
    acquire.clean_up();
  }
  SECTION("the keeper removes it if the child process is killed too") {
    vm.node2.loop.pass(61s);
  }
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
}

TEST_CASE("a target's PR request that comes after the migration is granted") {
  Migration vm;
  // The target accepts the hand-over. The migration fails before the target requests PR.
  accept_hand_over(vm.node2);
  vm.node1.loop.settle();
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.node1.loop.pass(2s);
  REQUIRE(vm.level(1) == Level::exclusive);

  auto late = vm.node2.mount.queue(locks, web_lock, Level::protected_read);
  REQUIRE_FALSE(late);
  vm.node1.loop.settle();
  late = vm.node2.mount.finished(locks, web_lock).value();
  REQUIRE(late);
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::protected_read);
  late->fd.reset();
  REQUIRE(vm.node2.mount.unlink(locks, web_lock));
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK_FALSE(vm.node1.logged("event=request-queued"));
}

TEST_CASE("a target's late PR request is granted if the keeper reads its reply only afterwards") {
  Migration vm;
  accept_hand_over(vm.node2);
  // Another host has the bell open, so the source's keeper cannot read the reply.
  auto open_bell = vm.node3.mount.queue(bells, web_lock, Level::protected_read);
  REQUIRE(open_bell);
  vm.node1.loop.settle();
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.node1.loop.pass(2s);
  REQUIRE(vm.level(1) == Level::exclusive);
  REQUIRE_FALSE(vm.node2.mount.queue(locks, web_lock, Level::protected_read));
  vm.node1.loop.settle();
  REQUIRE(vm.node1.logged("event=request-queued"));

  open_bell->fd.reset();
  REQUIRE(vm.node3.mount.unlink(bells, web_lock));
  vm.node1.loop.pass(2s);
  auto late = vm.node2.mount.finished(locks, web_lock);
  REQUIRE(late);
  CHECK(*late);
}

TEST_CASE("the PR requests of two late targets are granted one after the other") {
  Migration vm;
  KeptHost node4(vm.cluster, 4);
  auto accept_and_fail = [&](KeptHost& host) {
    accept_hand_over(host);
    vm.node1.loop.settle();
    vm.node1.libvirt.states[web.uuid] = {.active = true};
    vm.node1.loop.pass(2s);
    REQUIRE(vm.level(1) == Level::exclusive);
  };
  accept_and_fail(vm.node2);
  vm.node1.libvirt.states[web.uuid] = {true, Job::outgoing_migration, 200ms};
  accept_and_fail(node4);
  for (KeptHost* host : {&vm.node2, &node4}) {
    REQUIRE_FALSE(host->mount.queue(locks, web_lock, Level::protected_read));
    vm.node1.loop.settle();
    auto late = host->mount.finished(locks, web_lock);
    REQUIRE(late);
    REQUIRE(*late);
    (*late)->fd.reset();
    REQUIRE(host->mount.unlink(locks, web_lock));
    vm.node1.loop.pass(2s);
    CHECK(vm.level(1) == Level::exclusive);
  }
}

TEST_CASE("a keeper restarted during a hand-over still lets the target acquire PR") {
  Migration vm;
  accept_hand_over(vm.node2);
  vm.node1.start_keeper();
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  CHECK(vm.node2.mount.queue(locks, web_lock, Level::protected_read));
}
