// Live migration: who is granted the source's lock, by the rules of the target's hooks and of both
// hosts' keepers together.

#include <thread>

#include "hook/handlers.hpp"
#include "tests/guard/keeper/migration.hpp"

using namespace guard;
using namespace hook;
using namespace std::chrono_literals;
using dlmfs::Level;
using Job = VmState::Job;

TEST_CASE("a migration's target shares the lock, and no third host is granted anything") {
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

TEST_CASE("a start that no migration on the holder's host explains is denied") {
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

TEST_CASE("a migration that has failed when the target asks once more gives it nothing") {
  // libvirt has announced it there and then failed; the start is a cold one that came just then.
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

TEST_CASE("one whose source's keeper dies in between gives it nothing either") {
  Migration vm;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    if (vm.node1.keeper) vm.node1.kill_keeper();
  };
  CHECK(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(2) == std::nullopt);
  CHECK(vm.level(1) == Level::protected_read);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.node1.start_keeper();
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("one that has no job is refused at the first answer, with all the time in the context") {
  Migration vm;
  vm.node2.context.deadline = Deadline(1min);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  int pauses = 0;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) { ++pauses; };
  CHECK(vm.announced_start(vm.node2).denied);
  CHECK(pauses == 0);
}

TEST_CASE("an announcement older than the migration stays so, however often it is asked about") {
  Migration vm;
  vm.node2.context.deadline = Deadline(1min);
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  std::this_thread::sleep_for(60ms);
  vm.node1.libvirt.jobs_age = true;
  vm.node1.libvirt.states[web.uuid].job_age = 30ms;
  std::ignore = vm.node1.libvirt.state_of(web.uuid);  // from now on it grows older
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

TEST_CASE("one migration has one hand-over") {
  Migration vm;
  vm.hand_over();
  KeptHost other(vm.cluster, 4);
  Verdict verdict = vm.announced_start(other);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "has already granted a hand-over for this migration"));
  CHECK(vm.level(4) == std::nullopt);
}

TEST_CASE("a keeper that was killed after its consent remembers it") {
  Migration vm;
  vm.hand_over();
  vm.node1.start_keeper();
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  // The target has gone, and the job has not: EX could be had, and a hand-over asked for again.
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

TEST_CASE(
    "a migration that begins before the keeper has noticed the end of the last gets the lock") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.context, web).denied);
  REQUIRE(vm.level(1) == Level::protected_read);
  vm.node1.libvirt.states[web.uuid].job_age = 1h;  // another one
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(1) == Level::protected_read);
}

TEST_CASE("it does not while the last one's target still shares the lock") {
  Migration vm;
  vm.hand_over();
  vm.node1.libvirt.states[web.uuid].job_age = 1h;
  KeptHost other(vm.cluster, 4);
  other.context.cluster.pause = vm.node2.context.cluster.pause;
  CHECK(contains(vm.announced_start(other).message, "still shares it with another host"));
  CHECK(vm.level(4) == std::nullopt);
}

TEST_CASE("an answer that was about an earlier migration gives nobody the lock") {
  Migration vm;
  bool once = true;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    vm.node1.loop.settle();
    if (!std::exchange(once, false)) return;
    // While the target waits, the migration fails, and the next one, to another host, gets the
    // lock.
    auto record = vm.node1.context.host.load_record(web);
    record->handed_over = *record->handed_over + 10s;
    REQUIRE(vm.node1.context.host.records().write(*record));
    vm.node1.libvirt.states[web.uuid].job_age -= 10s;
  };
  CHECK(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("the next migration has its own hand-over") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.context, web).denied);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.pass(2s);
  vm.node1.libvirt.states[web.uuid] = {true, Job::outgoing_migration, 100ms};
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
}

TEST_CASE("an announcement older than the migration gives nobody the lock") {
  // Another migration is under way when a start comes after an announcement that led to nothing.
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  vm.node1.libvirt.states[web.uuid].job_age = 0ms;
  Verdict verdict = prepare(vm.node2.context, web);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "migrating it, but not to here"));
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
}

TEST_CASE("a restore after an announcement that led to nothing is no migration") {
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

TEST_CASE("an announcement's age is that at the ring that is answered, not at the first one") {
  Migration vm;
  // At the first ring nobody says who has the lock. Meanwhile the announcement gets older than the
  // job that the holder then tells of.
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

TEST_CASE("an announcement that is too old, used up or another daemon's gives nobody the lock") {
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.context, web).denied);
  SECTION("too old") {
    vm.node2.context.settings.guard.migrate_window = 0ms;
  }
  SECTION("used up") {
    vm.node1.kill_keeper();
    REQUIRE(prepare(vm.node2.context, web).denied);
    vm.node1.start_keeper();
  }
  SECTION("another daemon's") {
    ++vm.node2.context.caller.daemon;
  }
  CHECK(prepare(vm.node2.context, web).denied);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("without the source's keeper a migration is refused, and the message names its host") {
  Migration vm;
  vm.node1.kill_keeper();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "start-guard.service does not run on node1"));
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("without the target's keeper as well") {
  Migration vm;
  vm.node2.kill_keeper();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "start-guard.service does not run on node2"));
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a consent that can't be remembered is not given") {
  Migration vm;
  auto full = vm.node1.context.host.directory.path_of("." + web.uuid.text() + ".new");
  std::filesystem::create_directory(full);  // the record can't be written
  CHECK(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a request that waits for the lock itself stands in a hand-over's way") {
  Migration vm;
  REQUIRE_FALSE(vm.node3.mount.queue(locks, web_lock, Level::exclusive));
  vm.node1.loop.settle();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.denied);
  CHECK(contains(verdict.message, "waits for the file of the lock itself"));
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("while the lock is shared, start and reconnect are content with that") {
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

TEST_CASE("a hand-over that a mere start's question used up can be asked for again") {
  Migration vm;
  // A third host asks just as the migration begins: it is told of the hand-over, and takes nothing.
  CHECK(prepare(vm.node3.context, web).denied);
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  vm.node1.loop.settle();
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("an announcement that is too old leaves the hand-over to the migration's own target") {
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
