// Live migration: which host is granted a hand-over, by the hooks of the target and the keepers of
// both hosts.

#include <thread>

#include "hook/handlers.hpp"
#include "tests/guard/keeper/migration.hpp"

using namespace guard;
using namespace hook;
using namespace std::chrono_literals;
using dlmfs::Level;
using Job = VmState::Job;

TEST_CASE("the target of a migration shares the lock and a third host is denied") {
  Migration vm;
  vm.hand_over();
  CHECK(vm.level(1) == Level::protected_read);
  CHECK(vm.level(2) == Level::protected_read);
  CHECK(vm.node2.context.host.load_record(web)->origin == Origin::hand_over);
  CHECK(vm.node1.logged("event=hand-over"));
  CHECK(vm.node1.logged("to=node2"));
  CHECK(vm.node2.logged("how=hand-over from=node1"));
  CHECK(prepare(vm.node3.context, web).denied);
  vm.pass(60s);
  CHECK(vm.level(1) == Level::protected_read);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("an announced start is denied if the holder's libvirt reports no migration") {
  Migration vm;
  vm.node1.libvirt.states[web.uuid] = {true, GENERATE(Job::none, Job::other)};
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "host node1"));
  CHECK(contains(verdict.message, "reports no outgoing migration"));
  CHECK(vm.level(1) == Level::exclusive);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
  CHECK_FALSE(vm.node2.has_file(bells, web_lock));
}

TEST_CASE("a target that asks again after the migration failed is denied") {
  // libvirt announced the migration, and then it failed. A normal start comes at that moment.
  Migration vm;
  int pauses = 0;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    if (++pauses == 1) vm.node1.libvirt.states[web.uuid] = {.active = true};
    vm.node1.loop.settle();
  };
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "reports no outgoing migration"));
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
  CHECK(vm.node2.keeper->count() == 0);
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("a target is denied if the source's keeper dies during the hand-over") {
  Migration vm;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    if (vm.node1.keeper) vm.node1.kill_keeper();
  };
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "host node1 holds its lock"));
  CHECK(vm.level(2) == std::nullopt);
  CHECK(vm.level(1) == Level::protected_read);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.node1.start_keeper();
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("a start without a migration is denied at the first answer despite a long deadline") {
  Migration vm;
  vm.node2.context.deadline = Deadline(1min);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  int pauses = 0;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) { ++pauses; };
  CHECK(vm.announced_start(vm.node2).denied);
  CHECK(pauses == 0);
}

TEST_CASE("an announcement older than the migration stays too old during retries") {
  Migration vm;
  vm.node2.context.deadline = Deadline(1min);
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  std::this_thread::sleep_for(500ms);
  vm.node1.libvirt.jobs_age = true;
  vm.node1.libvirt.states[web.uuid].job_age = 30ms;
  std::ignore = vm.node1.libvirt.state_of(web.uuid);  // the job's age grows from now on
  vm.node1.libvirt.broken = true;
  int pauses = 0;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    if (++pauses == 3) vm.node1.libvirt.broken = false;
    std::this_thread::sleep_for(30ms);
    vm.node1.loop.settle();
  };
  CHECK(prepare(vm.node2.context, web).denied);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("one migration is granted only one hand-over") {
  Migration vm;
  vm.hand_over();
  KeptHost other(vm.cluster, 4);
  Verdict verdict = vm.announced_start(other);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "has already granted a hand-over for this migration"));
  CHECK(vm.level(4) == std::nullopt);
}

TEST_CASE("a restarted keeper knows that it has granted a hand-over for the migration") {
  Migration vm;
  vm.hand_over();
  vm.node1.start_keeper();
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  // The target has released the lock, but the migration job still exists. The source could acquire
  // EX, and a target could ask for another hand-over.
  REQUIRE_FALSE(release(vm.node2.context, web).denied);
  vm.node1.start_keeper();
  auto began = vm.node1.context.host.load_record(web)->handed_over;
  REQUIRE(began);
  auto age =
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) - *began;
  vm.node1.libvirt.states[web.uuid].job_age = age;
  KeptHost other(vm.cluster, 4);
  CHECK(contains(vm.announced_start(other).message,
                 "has already granted a hand-over for this migration"));
}

TEST_CASE("a new migration gets a hand-over before the keeper knows that the last one ended") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.context, web).denied);
  REQUIRE(vm.level(1) == Level::protected_read);
  vm.node1.libvirt.states[web.uuid].job_age = 1h;  // another migration
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(1) == Level::protected_read);
}

TEST_CASE("a new migration is denied while the last one's target still shares the lock") {
  Migration vm;
  vm.hand_over();
  vm.node1.libvirt.states[web.uuid].job_age = 1h;
  KeptHost other(vm.cluster, 4);
  other.context.cluster.pause = vm.node2.context.cluster.pause;
  CHECK(contains(vm.announced_start(other).message, "still shares it with another host"));
  CHECK(vm.level(4) == std::nullopt);
}

TEST_CASE("an answer about an earlier migration does not grant the lock") {
  Migration vm;
  bool once = true;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    vm.node1.loop.settle();
    if (!std::exchange(once, false)) return;
    // While the target waits, the migration fails, and the next one, to another host, is granted
    // the lock.
    auto record = vm.node1.context.host.load_record(web);
    record->handed_over = *record->handed_over + 10s;
    REQUIRE(vm.node1.context.host.records().write(*record));
    vm.node1.libvirt.states[web.uuid].job_age -= 10s;
  };
  CHECK(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("the next migration is granted its own hand-over") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.context, web).denied);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.pass(2s);
  vm.node1.libvirt.states[web.uuid] = {true, Job::outgoing_migration, 30s};
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
}

TEST_CASE("a start whose announcement is older than the migration is denied") {
  // No start followed the announcement. Another migration runs when this start comes.
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  vm.node1.libvirt.states[web.uuid].job_age = 0ms;
  Verdict verdict = prepare(vm.node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "migrating it, but not to here"));
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
}

TEST_CASE("a restore makes the next start an ordinary one despite an unused announcement") {
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  if (GENERATE(false, true)) vm.node2.context.settings.guard.exempt = {"web"};
  REQUIRE_FALSE(restore(vm.node2.context, web).denied);
  vm.node2.context.settings.guard.exempt = {};
  Verdict verdict = prepare(vm.node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "host node1 holds its lock since"));
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("the announcement's age counts when the holder answers and not at the first ring") {
  Migration vm;
  // The first ring gets no name. The announcement becomes older than the job that the holder
  // reports later.
  constexpr auto job_age = 50ms;
  vm.node1.libvirt.states[web.uuid].job_age = job_age;
  vm.node1.kill_keeper();
  {
    auto bell = vm.node1.mount.trylock(bells, web_lock, Level::exclusive);
    REQUIRE(bell);
    REQUIRE(vm.node1.mount.write_lvb(*bell, dlmfs::Lvb{}));
  }
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  auto announced = std::chrono::steady_clock::now();
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    while (std::chrono::steady_clock::now() - announced <= job_age) {
    }
    if (!vm.node1.keeper) vm.node1.start_keeper();
    vm.node1.loop.settle();
  };
  Verdict verdict = prepare(vm.node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "migrating it, but not to here"));
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("an invalid announcement does not grant the lock") {
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  SECTION("the announcement is too old") {
    vm.node2.context.settings.guard.migrate_window = 0ms;
  }
  SECTION("the announcement was consumed") {
    vm.node1.kill_keeper();
    REQUIRE(prepare(vm.node2.context, web).denied);
    vm.node1.start_keeper();
  }
  SECTION("another daemon wrote the announcement") {
    ++vm.node2.context.caller.daemon;
  }
  CHECK(prepare(vm.node2.context, web).denied);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("a migration is denied without the source's keeper and the message names the source") {
  Migration vm;
  vm.node1.kill_keeper();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "start-guard.service does not run on node1"));
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("a migration is denied without the target's keeper and the message names the target") {
  Migration vm;
  vm.node2.kill_keeper();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "start-guard.service does not run on node2"));
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a hand-over that cannot be recorded is not granted") {
  Migration vm;
  auto full = vm.node1.context.host.directory.path_of("." + web.uuid.text() + ".new");
  std::filesystem::create_directory(full);  // the record cannot be written
  CHECK(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a hand-over is denied while a request for the lock itself is queued") {
  Migration vm;
  REQUIRE_FALSE(vm.node3.mount.queue(locks, web_lock, Level::exclusive));
  vm.node1.loop.settle();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "waits for the file of the lock itself"));
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("start and reconnect succeed while the lock is shared") {
  Migration vm;
  vm.hand_over();
  bool kept = GENERATE(true, false);
  if (!kept) {
    vm.node1.kill_keeper();
    vm.node2.kill_keeper();
  }
  CHECK_FALSE(start(vm.node2.context, web).denied);
  CHECK(vm.node2.context.host.load_record(web)->origin == Origin::hand_over);
  vm.node1.context.settings.guard.on_reconnect_conflict = conf::OnReconnectConflict::kill;
  CHECK_FALSE(reconnect(vm.node1.context, web).denied);
  CHECK_FALSE(vm.node1.logged("event=conflict"));
}

TEST_CASE("a hand-over that an ordinary start's query consumed can be granted again") {
  Migration vm;
  SECTION("the holder's name fits into the bell") {}
  SECTION("the holder's name is cut") {
    vm.node1.context.cluster.host_name = "node1.of-a-domain-with-a-long-name.example";
  }
  // A third host asks when the migration begins. It reads the hand-over but acquires no lock.
  CHECK(prepare(vm.node3.context, web).denied);
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  vm.node1.loop.settle();
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("a too old announcement on one host does not consume the hand-over of the real target") {
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  vm.node1.libvirt.states[web.uuid].job_age = 0ms;
  REQUIRE(prepare(vm.node2.context, web).denied);
  vm.node1.loop.settle();
  vm.node1.libvirt.states[web.uuid].job_age = 500ms;
  KeptHost other(vm.cluster, 4);
  other.context.cluster.pause = vm.node2.context.cluster.pause;
  CHECK_FALSE(vm.announced_start(other).denied);
}
