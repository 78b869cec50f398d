// Live migration: the rules of the target's hooks and of both hosts' keepers together.

#include "guard/marker.hpp"
#include "guard/reconnect.hpp"
#include "guard/release.hpp"
#include "guard/start.hpp"
#include "guard/take.hpp"
#include "tests/catch.hpp"
#include "tests/guard/keeper/kept_host.hpp"

using namespace guard;
using namespace std::chrono_literals;
using dlmfs::Level;
using dlmfs::StandInCluster;
using Job = VmState::Job;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// The VM runs on node1, and libvirt migrates it to node2.
struct Migration {
  StandInCluster cluster;
  KeptHost node1{cluster, 1};
  KeptHost node2{cluster, 2};
  MadeUpHost node3{cluster, 3};

  Migration() {
    REQUIRE_FALSE(prepare(node1.world, web).refused);
    node1.libvirt.states[web.uuid] = {true, Job::outgoing_migration, 500ms};
    // While the target waits, the source's keeper does its work.
    node2.world.pause = [this](std::chrono::milliseconds) { node1.loop.settle(); };
  }
  Verdict announced_start(MadeUpHost& host) {
    REQUIRE_FALSE(migrate(host.world, web).refused);
    return prepare(host.world, web);
  }
  void hand_over() {
    REQUIRE_FALSE(announced_start(node2).refused);
    node1.loop.settle();
    node2.libvirt.states[web.uuid] = {true, Job::incoming_migration};
  }
  void pass(std::chrono::milliseconds time) {
    node1.loop.pass(time);
    node2.loop.pass(time);
  }
  std::optional<Level> level(int node) { return cluster.level(node, locks, web_lock); }
};

}  // namespace

TEST_CASE("a migration's target shares the lock, and no third host is granted anything") {
  Migration vm;
  vm.hand_over();
  CHECK(vm.level(1) == Level::protected_read);
  CHECK(vm.level(2) == Level::protected_read);
  CHECK(vm.node2.world.recall(web)->how == How::hand_over);
  CHECK(vm.node1.logged("event=hand-over"));
  CHECK(vm.node1.logged("to=node2"));
  CHECK(vm.node2.logged("how=hand-over from=node1"));
  CHECK(prepare(vm.node3.world, web).refused);
  vm.pass(60s);
  CHECK(vm.level(1) == Level::protected_read);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("after a migration the target has the lock alone, and says so to whoever asks") {
  Migration vm;
  vm.hand_over();
  vm.node1.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node1.world, web).refused);
  vm.node2.libvirt.states[web.uuid] = {.active = true};
  vm.pass(1100ms);
  CHECK(vm.level(1) == std::nullopt);
  CHECK(vm.level(2) == Level::exclusive);
  CHECK(vm.node2.logged("event=exclusive"));
  CHECK_FALSE(vm.node2.world.recall(web)->shared);
  CHECK(contains(prepare(vm.node3.world, web).message, "host node2"));
  CHECK_FALSE(vm.node1.has_file(locks, web_lock));
  CHECK_FALSE(vm.node1.has_file(bells, web_lock));
}

TEST_CASE("after a failed migration the source has the lock alone") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.world, web).refused);
  CHECK(vm.level(1) == Level::protected_read);
  vm.pass(5s);
  CHECK(vm.level(1) == Level::protected_read);  // libvirt's job is not over
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.pass(1100ms);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node1.world.recall(web)->shared);
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a start that no migration on the holder's host explains is denied") {
  Migration vm;
  vm.node1.libvirt.states[web.uuid] = {true, GENERATE(Job::none, Job::other)};
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.refused);
  CHECK(contains(verdict.message, "host node1"));
  CHECK(contains(verdict.message, "tells of no outgoing migration"));
  CHECK(vm.level(1) == Level::exclusive);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
  CHECK_FALSE(vm.node2.has_file(bells, web_lock));
}

TEST_CASE("a migration that has failed when the target asks once more gives it nothing") {
  // libvirt has announced it there and then failed; the start is a cold one that came just then.
  Migration vm;
  int pauses = 0;
  vm.node2.world.pause = [&](std::chrono::milliseconds) {
    if (++pauses == 1) vm.node1.libvirt.states[web.uuid] = {.active = true};
    vm.node1.loop.settle();
  };
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.refused);
  CHECK(contains(verdict.message, "tells of no outgoing migration"));
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
  CHECK(vm.node2.keeper->count() == 0);
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("one whose source's keeper dies in between gives it nothing either") {
  Migration vm;
  vm.node2.world.pause = [&](std::chrono::milliseconds) {
    if (vm.node1.keeper) vm.node1.kill_keeper();
  };
  CHECK(vm.announced_start(vm.node2).refused);
  CHECK(vm.level(2) == std::nullopt);
  CHECK(vm.level(1) == Level::protected_read);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.node1.start_keeper();
  vm.node1.loop.pass(2s);
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("one migration has one hand-over") {
  Migration vm;
  vm.hand_over();
  KeptHost other(vm.cluster, 4);
  Verdict verdict = vm.announced_start(other);
  CHECK(verdict.refused);
  CHECK(contains(verdict.message, "has had its hand-over before"));
  CHECK(vm.level(4) == std::nullopt);
}

TEST_CASE("a keeper that was killed after its consent remembers it") {
  Migration vm;
  vm.hand_over();
  vm.node1.start_keeper();
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  // The target has gone, and the job has not: EX could be had, and a hand-over asked for again.
  REQUIRE_FALSE(release(vm.node2.world, web).refused);
  vm.node1.start_keeper();
  auto began = vm.node1.world.recall(web)->handed_over;
  REQUIRE(began);
  auto age =
      std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) - *began;
  vm.node1.libvirt.states[web.uuid].job_age = age;
  KeptHost other(vm.cluster, 4);
  CHECK(contains(vm.announced_start(other).message, "has had its hand-over before"));
}

TEST_CASE(
    "a migration that begins before the keeper has noticed the end of the last gets the lock") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.world, web).refused);
  REQUIRE(vm.level(1) == Level::protected_read);
  vm.node1.libvirt.states[web.uuid].job_age = 1h;  // another one
  CHECK_FALSE(vm.announced_start(vm.node2).refused);
  CHECK(vm.level(1) == Level::protected_read);
}

TEST_CASE("it does not while the last one's target still shares the lock") {
  Migration vm;
  vm.hand_over();
  vm.node1.libvirt.states[web.uuid].job_age = 1h;
  KeptHost other(vm.cluster, 4);
  other.world.pause = vm.node2.world.pause;
  CHECK(contains(vm.announced_start(other).message, "shares it still with another host"));
  CHECK(vm.level(4) == std::nullopt);
}

TEST_CASE("an answer that was about an earlier migration gives nobody the lock") {
  Migration vm;
  bool once = true;
  vm.node2.world.pause = [&](std::chrono::milliseconds) {
    vm.node1.loop.settle();
    if (!std::exchange(once, false)) return;
    // While the target waits, the migration fails, and the next one, to another host, gets the
    // lock.
    auto record = vm.node1.world.recall(web);
    record->handed_over = *record->handed_over + 10s;
    REQUIRE(vm.node1.world.records().write(*record));
    vm.node1.libvirt.states[web.uuid].job_age -= 10s;
  };
  CHECK(vm.announced_start(vm.node2).refused);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("the next migration has its own hand-over") {
  Migration vm;
  vm.hand_over();
  vm.node2.libvirt.states.clear();
  REQUIRE_FALSE(release(vm.node2.world, web).refused);
  vm.node1.libvirt.states[web.uuid] = {.active = true};
  vm.pass(2s);
  vm.node1.libvirt.states[web.uuid] = {true, Job::outgoing_migration, 100ms};
  CHECK_FALSE(vm.announced_start(vm.node2).refused);
}

TEST_CASE("an announcement older than the migration gives nobody the lock") {
  // Another migration is under way when a start comes after an announcement that led to nothing.
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.world, web).refused);
  vm.node1.libvirt.states[web.uuid].job_age = 0ms;
  Verdict verdict = prepare(vm.node2.world, web);
  CHECK(verdict.refused);
  CHECK(contains(verdict.message, "migrating it, but not to here"));
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
}

TEST_CASE("an announcement that is too old, used up or another daemon's gives nobody the lock") {
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.world, web).refused);
  SECTION("too old") {
    vm.node2.world.settings.guard.migrate_window = 0ms;
  }
  SECTION("used up") {
    vm.node1.kill_keeper();
    REQUIRE(prepare(vm.node2.world, web).refused);
    vm.node1.start_keeper();
  }
  SECTION("another daemon's") {
    ++vm.node2.world.caller.daemon;
  }
  CHECK(prepare(vm.node2.world, web).refused);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("without the source's keeper a migration is refused, and the message names its host") {
  Migration vm;
  vm.node1.kill_keeper();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.refused);
  CHECK(contains(verdict.message, "start-guard.service does not run on node1"));
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.level(2) == std::nullopt);
}

TEST_CASE("without the target's keeper as well") {
  Migration vm;
  vm.node2.kill_keeper();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.refused);
  CHECK(contains(verdict.message, "start-guard.service does not run on node2"));
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a source whose libvirt does not answer hands nothing over") {
  Migration vm;
  vm.node1.libvirt.broken = true;
  CHECK(contains(vm.announced_start(vm.node2).message, "did not say in time"));
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("a consent that can't be remembered is not given") {
  Migration vm;
  auto full = vm.node1.world.state.path_of("." + web.uuid.text() + ".new");
  std::filesystem::create_directory(full);  // the record can't be written
  CHECK(vm.announced_start(vm.node2).refused);
  CHECK(vm.level(1) == Level::exclusive);
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a request that waits for the lock itself stands in a hand-over's way") {
  Migration vm;
  REQUIRE_FALSE(vm.node3.mount.queue(locks, web_lock, Level::exclusive));
  vm.node1.loop.settle();
  Verdict verdict = vm.announced_start(vm.node2);
  CHECK(verdict.refused);
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
  CHECK_FALSE(start(vm.node2.world, web).refused);
  CHECK(vm.node2.world.recall(web)->how == How::hand_over);
  vm.node1.world.settings.guard.on_reconnect_conflict = conf::OnReconnectConflict::kill;
  CHECK_FALSE(reconnect(vm.node1.world, web).refused);
  CHECK_FALSE(vm.node1.logged("event=conflict"));
}

TEST_CASE("what came by a hand-over must be an incoming QEMU") {
  Migration vm;
  vm.hand_over();
  SECTION("a QEMU that runs at once is refused") {
    auto qemu = MadeUpHost::run_qemu(web);
    vm.node2.write_pid_file(web, *qemu);
    Verdict verdict = started(vm.node2.world, web);
    CHECK(verdict.refused);
    CHECK(contains(verdict.message, "no -incoming"));
    CHECK(vm.node2.logged(LOG_CRIT, "event=not-incoming"));
  }
  SECTION("one that can't be looked at is refused") {
    CHECK(started(vm.node2.world, web).refused);
  }
  SECTION("one that its daemon found again before it could be looked at is refused") {
    auto qemu = MadeUpHost::run_qemu(web);
    vm.node2.write_pid_file(web, *qemu);
    CHECK(reconnect(vm.node2.world, web).refused);
  }
  SECTION("an incoming one is not") {
    auto qemu = MadeUpHost::run_qemu(web, "-incoming");
    vm.node2.write_pid_file(web, *qemu);
    CHECK_FALSE(started(vm.node2.world, web).refused);
    CHECK_FALSE(reconnect(vm.node2.world, web).refused);
    CHECK(vm.node2.world.recall(web)->qemu->pid == qemu->pid);
  }
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
  REQUIRE_FALSE(migrate(vm.node2.world, web).refused);
  auto marker = Markers(vm.node2.world.state).use_up(web.uuid, vm.node2.world.caller, 10s);
  std::optional<Record> none;
  Take take(vm.node2.world, *vm.node2.world.keeper, web, Purpose::start, none, marker);
  Answer answer = take.run([](const Answer&) {});
  REQUIRE(answer.kind == Answer::Kind::granted);
  CHECK(vm.level(2) == Level::protected_read);
  SECTION("by its child") {
    take.clean_up(answer);
  }
  SECTION("by the keeper, if that is killed, too") {
    vm.node2.loop.pass(61s);
  }
  CHECK(vm.level(2) == std::nullopt);
  CHECK_FALSE(vm.node2.has_file(locks, web_lock));
}

TEST_CASE("a hand-over that a mere start's question used up can be asked for again") {
  Migration vm;
  // A third host asks just as the migration begins: it is told of the hand-over, and takes nothing.
  CHECK(prepare(vm.node3.world, web).refused);
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  vm.node1.loop.settle();
  CHECK(vm.node1.keeper->level(web) == Level::exclusive);
  CHECK_FALSE(vm.announced_start(vm.node2).refused);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE(
    "a target whose request comes after the migration is over is let by, and waits for ever for "
    "nothing") {
  Migration vm;
  // The target takes the hand-over; its request for PR is on its way when the migration fails.
  Bell bell(vm.node2.mount, bells, web_lock, vm.node2.world.pause);
  auto card = [](const std::optional<Holder>& found) {
    Holder left = *found;
    left.state = Holder::State::taken;
    left.host = "node2";
    return std::optional(left);
  };
  REQUIRE(bell.visit(card));
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
  CHECK_FALSE(vm.node1.logged("event=queued"));
}

TEST_CASE("two targets that come too late are let by, one after the other") {
  Migration vm;
  KeptHost node4(vm.cluster, 4);
  auto take_card = [&](KeptHost& host) {
    Bell bell(host.mount, bells, web_lock, host.world.pause);
    REQUIRE(bell.visit([&](const std::optional<Holder>& found) {
      Holder left = *found;
      left.state = Holder::State::taken;
      left.host = host.world.host;
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

TEST_CASE("an announcement that is too old leaves the hand-over to the migration's own target") {
  Migration vm;
  REQUIRE_FALSE(migrate(vm.node2.world, web).refused);
  vm.node1.libvirt.states[web.uuid].job_age = 0ms;
  REQUIRE(prepare(vm.node2.world, web).refused);
  vm.node1.loop.settle();
  vm.node1.libvirt.states[web.uuid].job_age = 500ms;
  KeptHost other(vm.cluster, 4);
  other.world.pause = vm.node2.world.pause;
  CHECK_FALSE(vm.announced_start(other).refused);
}

TEST_CASE("a keeper that comes back in the middle of a hand-over leaves the way to PR open") {
  Migration vm;
  Bell bell(vm.node2.mount, bells, web_lock, vm.node2.world.pause);
  REQUIRE(bell.visit([](const std::optional<Holder>& found) {
    Holder left = *found;
    left.state = Holder::State::taken;
    left.host = "node2";
    return std::optional(left);
  }));
  vm.node1.start_keeper();
  CHECK(vm.node1.keeper->level(web) == Level::protected_read);
  CHECK(vm.node2.mount.queue(locks, web_lock, Level::protected_read));
}
