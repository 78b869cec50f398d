// Tests with a source whose libvirt answers late or never: which hand-overs its keeper grants, and
// when a lock that stays shared becomes an alarm.

#include "tests/guard/keeper/migration.hpp"

using namespace guard;
using namespace std::chrono_literals;
using dlmfs::Level;
using Job = VmState::Job;

TEST_CASE("a target asks again until the source's libvirt reports the migration") {
  Migration vm;
  vm.node2.context.deadline = Deadline(1min);
  vm.node1.libvirt.broken = true;
  int pauses = 0;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    if (++pauses == 3) vm.node1.libvirt.broken = false;
    vm.node1.loop.settle();
  };
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(1) == Level::protected_read);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("a hand-over is confirmed although the answer that granted it came late") {
  Migration vm;
  vm.node1.libvirt.jobs_age = true;
  vm.node1.libvirt.late_once = 600ms;
  CHECK_FALSE(vm.announced_start(vm.node2).denied);
  CHECK(vm.level(2) == Level::protected_read);
}

TEST_CASE("the keeper grants a hand-over by libvirt's status file while libvirt is busy") {
  Migration vm;
  vm.node1.loop.hold(Loop::WorkerPool::libvirt, true);
  vm.node2.context.deadline = Deadline(1min);
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) { vm.node1.loop.pass(1s); };
  vm.node1.mount.on_queued(bells, web_lock, [&] { vm.node1.loop.pass(2s); });
  SECTION("the status file shows that the target may be preparing") {
    // The target rings twice. At the second time the keeper knows that libvirt is busy.
    vm.node1.mount.on_queued(bells, web_lock, [&] {
      vm.node1.loop.pass(vm.level(1) == Level::exclusive ? 2000ms : 0ms);
    });
    vm.node1.write_libvirt_job(web, "migration out", "begin3");
    // libvirt writes the file before it calls the target.
    std::filesystem::path file =
        vm.node1.context.paths.pid_files + "/" + web.driver + "/" + web.name + ".xml";
    last_write_time(file, std::filesystem::last_write_time(file) - 500ms);
    CHECK_FALSE(vm.announced_start(vm.node2).denied);
    CHECK(vm.level(1) == Level::protected_read);
    CHECK(vm.level(2) == Level::protected_read);
    // libvirt answers again and reports the same migration.
    vm.node1.loop.hold(Loop::WorkerPool::libvirt, false);
    vm.node1.loop.pass(60s);
    CHECK(vm.level(1) == Level::protected_read);
    KeptHost other(vm.cluster, 4);
    CHECK(vm.announced_start(other).denied);
  }
  SECTION("the status file shows a later phase or another job") {
    auto [job, phase] = GENERATE(table<std::string, std::string>(
        {{"migration out", "perform3"}, {"migration in", "prepare"}, {"snapshot", ""}}));
    vm.node1.write_libvirt_job(web, job, phase);
    vm.node2.context.deadline = Deadline(3s);
    CHECK(contains(vm.announced_start(vm.node2).message, "did not report in time"));
    CHECK(vm.level(1) == Level::exclusive);
  }
}

TEST_CASE("no alarm is raised while the source's libvirt is too busy to end the migration") {
  Migration vm;
  vm.hand_over();
  vm.node1.loop.hold(Loop::WorkerPool::libvirt, true);
  auto phase = GENERATE(as<std::string>{}, "perform3", "perform3_done", "confirm3");
  vm.node1.write_libvirt_job(web, "migration out", phase);
  vm.node1.mount.on_queued(bells, web_lock, [&] { vm.node1.loop.pass(2s); });
  vm.arrive();
  for (int seconds = 0; seconds < 60; ++seconds)
    vm.pass(1s);
  CHECK(vm.node2.count_logged("event=conflict") == 0);
  CHECK(vm.node1.count_logged("event=conflict") == 0);
  CHECK(vm.level(1) == Level::protected_read);
}

TEST_CASE("the target raises an alarm within a minute if the source's state is unknown") {
  Migration vm;
  vm.hand_over();
  SECTION("the source's libvirt does not answer") {
    vm.node1.libvirt.broken = true;
  }
  SECTION("the source's keeper has closed the bell without an answer") {
    vm.node1.kill_keeper();
  }
  SECTION("the source has removed its bell") {
    vm.node1.kill_keeper();
    REQUIRE(vm.node1.mount.unlink(bells, web_lock));
  }
  vm.arrive();
  auto pass_seconds = [&](int seconds) {
    while (seconds-- > 0)
      vm.pass(1s);
  };
  pass_seconds(40);
  CHECK(vm.node2.count_logged("event=conflict") == 0);
  pass_seconds(20);
  CHECK(vm.node2.count_logged("event=conflict") == 1);
}

TEST_CASE("no alarm is raised if the source's VM has ended before its release") {
  Migration vm;
  vm.hand_over();
  auto qemu = FakeHost::run_qemu(web);  // so the lock stays shared
  vm.node1.libvirt.states.clear();
  vm.arrive();
  for (int seconds = 0; seconds < 40; ++seconds)
    vm.pass(1s);
  CHECK(vm.level(1) == Level::protected_read);
  CHECK(vm.node1.count_logged("event=conflict") == 0);
  CHECK(vm.node2.count_logged("event=conflict") == 0);
}

TEST_CASE("a hand-over is denied at the deadline if the source's libvirt reports nothing") {
  Migration vm;
  vm.node2.context.deadline = Deadline(3s);
  vm.node1.libvirt.broken = true;
  int pauses = 0;
  vm.node2.context.cluster.pause = [&](std::chrono::milliseconds) {
    ++pauses;
    vm.node1.loop.settle();
  };
  CHECK(contains(vm.announced_start(vm.node2).message, "did not report in time"));
  CHECK(pauses == 0);
  CHECK(vm.level(1) == Level::exclusive);
}

TEST_CASE("a source whose libvirt does not answer grants no hand-over") {
  Migration vm;
  vm.node1.libvirt.broken = true;
  CHECK(contains(vm.announced_start(vm.node2).message, "did not report in time"));
  CHECK(vm.level(1) == Level::exclusive);
}
