// How a lock that was shared for a live migration becomes one host's alone again, whatever went
// wrong in between.

#include "guard/host/incoming_migration.hpp"
#include "guard/lock/acquire.hpp"
#include "hook/handlers.hpp"
#include "tests/guard/keeper/migration.hpp"

using namespace guard;
using namespace hook;
using namespace std::chrono_literals;
using dlmfs::Level;
using Job = VmState::Job;

TEST_CASE("after a migration the target has the lock alone, and says so to whoever asks") {
  Migration vm;
  vm.hand_over();
  vm.node1.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node1.context, web).denied);
  vm.node2.libvirt.states[web.uuid] = {.active = true};
  vm.pass(1100ms);
  CHECK(vm.level(1) == std::nullopt);
  CHECK(vm.level(2) == Level::exclusive);
  CHECK(vm.node2.logged("event=exclusive"));
  CHECK_FALSE(vm.node2.context.host.load_record(web)->shared);
  CHECK(contains(prepare(vm.node3.context, web).message, "host node2"));
  CHECK_FALSE(vm.node1.has_file(locks, web_lock));
  CHECK_FALSE(vm.node1.has_file(bells, web_lock));
}

TEST_CASE("after a failed migration the source has the lock alone") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.context, web).denied);
  CHECK(vm.level(1) == Level::protected_read);
  vm.pass(5s);
  CHECK(vm.level(1) == Level::protected_read);  // libvirt's job is not over
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.pass(1100ms);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node1.context.host.load_record(web)->shared);
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("what came by a hand-over must be an incoming QEMU") {
  Migration vm;
  vm.hand_over();
  SECTION("a QEMU that runs at once is refused") {
    auto qemu = FakeHost::run_qemu(web);
    vm.node2.write_pid_file(web, *qemu);
    Verdict verdict = started(vm.node2.context, web);
    CHECK(verdict.denied);
    CHECK(contains(verdict.message, "no -incoming"));
    CHECK(vm.node2.logged(LOG_CRIT, "event=not-a-migration"));
  }
  SECTION("one that can't be examined is refused") {
    CHECK(started(vm.node2.context, web).denied);
  }
  SECTION("one that its daemon found again before it could be looked at is refused") {
    auto qemu = FakeHost::run_qemu(web);
    vm.node2.write_pid_file(web, *qemu);
    CHECK(reconnect(vm.node2.context, web).denied);
  }
  SECTION("an incoming one is not") {
    auto qemu = FakeHost::run_qemu(web, "-incoming");
    vm.node2.write_pid_file(web, *qemu);
    vm.node2.write_libvirt_job(web, "migration in");
    CHECK_FALSE(started(vm.node2.context, web).denied);
    CHECK_FALSE(reconnect(vm.node2.context, web).denied);
    CHECK(vm.node2.context.host.load_record(web)->qemu->pid == qemu->pid);
    CHECK_FALSE(vm.node2.logged("event=job-unknown"));
  }
  SECTION("one that libvirt restores, or reverts to a snapshot, is refused") {
    auto qemu = FakeHost::run_qemu(web, "-incoming");
    vm.node2.write_pid_file(web, *qemu);
    auto job = GENERATE(as<std::string>{}, "start", "snapshot");
    vm.node2.write_libvirt_job(web, job);
    Verdict verdict = started(vm.node2.context, web);
    CHECK(verdict.denied);
    CHECK(contains(verdict.message, "('" + job + "')"));
    CHECK(vm.node2.logged(LOG_CRIT, "event=not-a-migration"));
  }
  SECTION("where libvirt does not tell its job an incoming one passes, and that is logged") {
    auto qemu = FakeHost::run_qemu(web, "-incoming");
    vm.node2.write_pid_file(web, *qemu);
    CHECK_FALSE(started(vm.node2.context, web).denied);
    CHECK(vm.node2.logged(LOG_WARNING, "event=job-unknown"));
  }
}

TEST_CASE("a restore of a VM whose lock came by no hand-over is nobody's concern") {
  dlmfs::StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web, "-incoming");
  node1.write_pid_file(web, *qemu);
  node1.write_libvirt_job(web, "start");
  CHECK_FALSE(started(node1.context, web).denied);
}

TEST_CASE("where the VM runs on both hosts after a migration, both keepers raise the alarm, once") {
  Migration vm;
  vm.hand_over();
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.node2.libvirt.states[web.uuid] = {.active = true};
  for (int seconds = 0; seconds < 60; ++seconds)
    vm.pass(1s);
  CHECK(vm.node1.count_logged("event=conflict") == 1);
  CHECK(vm.node2.count_logged("event=conflict") == 1);
  CHECK(vm.node1.logged(LOG_CRIT, "here=node1 holder=node2"));
  CHECK(vm.node2.logged(LOG_CRIT, "here=node2 holder=node1"));
  CHECK(vm.level(1) == Level::protected_read);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("while the source's libvirt is still at the migration, a target that runs is no alarm") {
  Migration vm;
  vm.node1.libvirt.jobs_age = true;
  vm.hand_over();
  vm.node2.libvirt.states[web.uuid] = {.active = true};
  for (int seconds = 0; seconds < 60; ++seconds)
    vm.pass(1s);
  CHECK_FALSE(vm.node1.logged("event=conflict"));
  CHECK_FALSE(vm.node2.logged("event=conflict"));
}

TEST_CASE("a target that dies leaves the lock to the source") {
  Migration vm;
  vm.hand_over();
  vm.cluster.kill(2);
  vm.cluster.evict(2);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("an attempt whose hook was killed after the hand-over is cleared away") {
  Migration vm;
  // As if the target's child had been granted PR and nobody had been there to take it over.
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  auto announcement = IncomingMigrations(vm.node2.context.host.directory)
                          .consume(web.uuid, vm.node2.context.caller, 10s);
  std::optional<Record> none;
  Acquire acquire(vm.node2.context, *vm.node2.context.keeper, web, Purpose::start, none,
                  Deadline(0ms), announcement);
  AcquireResult result = acquire.acquire();
  REQUIRE(result.kind == AcquireResult::Kind::granted);
  CHECK(vm.level(2) == Level::protected_read);
  SECTION("by its child") {
    acquire.clean_up();
  }
  SECTION("by the keeper, if that is killed, too") {
    vm.node2.loop.pass(61s);
  }
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
}

TEST_CASE(
    "a target whose request comes after the migration is over is let by, and waits for ever for "
    "nothing") {
  Migration vm;
  // The target takes the hand-over; its request for PR is on its way when the migration fails.
  Bell bell(vm.node2.mount, bells, web_lock, vm.node2.context.cluster.pause);
  auto card = [](const std::optional<Holder>& found, auto) {
    Holder left = *found;
    left.state = Holder::State::accepted;
    left.host = "node2";
    return std::optional(left);
  };
  REQUIRE(bell.exchange(card));
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

TEST_CASE("two targets that come too late are let by, one after the other") {
  Migration vm;
  KeptHost node4(vm.cluster, 4);
  auto take_card = [&](KeptHost& host) {
    Bell bell(host.mount, bells, web_lock, host.context.cluster.pause);
    REQUIRE(bell.exchange([&](const std::optional<Holder>& found, auto) {
      Holder left = *found;
      left.state = Holder::State::accepted;
      left.host = host.context.cluster.host_name;
      return std::optional(left);
    }));
    vm.node1.loop.settle();
    vm.node1.libvirt.states[web.uuid] = {.active = true};
    vm.node1.loop.pass(2s);
    REQUIRE(vm.level(1) == Level::exclusive);
  };
  take_card(vm.node2);
  vm.node1.libvirt.states[web.uuid] = {true, Job::outgoing_migration, 200ms};
  take_card(node4);
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

TEST_CASE("a keeper that comes back in the middle of a hand-over leaves the way to PR open") {
  Migration vm;
  Bell bell(vm.node2.mount, bells, web_lock, vm.node2.context.cluster.pause);
  REQUIRE(bell.exchange([](const std::optional<Holder>& found, auto) {
    Holder left = *found;
    left.state = Holder::State::accepted;
    left.host = "node2";
    return std::optional(left);
  }));
  vm.node1.start_keeper();
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  CHECK(vm.node2.mount.queue(locks, web_lock, Level::protected_read));
}
