// The keeper compares locks with VMs.

#include <algorithm>
#include <fstream>

#include "guard/state/vm_flock.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_proc.hpp"
#include "tests/guard/keeper/kept_host.hpp"

using namespace guard;
using namespace hook;
using namespace std::chrono_literals;
using dlmfs::Level;
using dlmfs::StandInCluster;

TEST_CASE("the keeper adopts a VM that runs without its lock") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  auto qemu = FakeHost::run_qemu(web);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.loop.pass(31s);
  CHECK(node1.keeper->level(web) == Level::exclusive);
  CHECK(node1.context.host.load_record(web)->origin == Origin::adopted);
  CHECK(node1.context.host.load_record(web)->qemu->pid == qemu->pid);
  CHECK(node1.count_logged("event=adopted") == 1);
  node1.loop.pass(120s);
  CHECK(node1.count_logged("event=adopted") == 1);
}

TEST_CASE("the keeper does not open again what a hook has passed during its comparison") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  node1.libvirt.states[web.uuid] = {.active = true};  // as from before `prepare`
  node1.keeper->reconcile();
  node1.loop.hold(Loop::WorkerPool::libvirt, true);
  node1.loop.settle();
  node1.loop.hold(Loop::WorkerPool::cluster, true);
  node1.loop.hold(Loop::WorkerPool::libvirt, false);
  node1.loop.settle();
  REQUIRE(node1.loop.waiting(Loop::WorkerPool::cluster) == 1);  // to adopt the VM
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  SECTION("another host asks who holds the lock") {
    node1.mount.on_queued(bells, web_lock, [] {});
    REQUIRE(prepare(node2.context, web).denied);
    REQUIRE_FALSE(cluster.queued(bells, web_lock).empty());
  }
  SECTION("a process on another host waits for the lock's file") {
    REQUIRE_FALSE(node2.mount.queue(locks, web_lock, Level::exclusive));
    REQUIRE_FALSE(cluster.queued(locks, web_lock).empty());
  }
  node1.loop.hold(Loop::WorkerPool::cluster, false);
  node1.loop.settle();
  CHECK(cluster.queued(bells, web_lock).empty());
  CHECK(node1.keeper->level(web) == Level::exclusive);
  qemu.reset();
  REQUIRE_FALSE(release(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == std::nullopt);
}

TEST_CASE("the keeper adopts a VM without its lock at once when libvirt reports its start") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  auto qemu = FakeHost::run_qemu(web);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.keeper->libvirt_reported(VmChange{web, true});
  node1.loop.settle();
  CHECK(node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("the keeper unlocks a VM without its release at once when libvirt reports its end") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.keeper->libvirt_reported(VmChange{web, false});
  SECTION("libvirt confirms that the VM has ended") {
    node1.loop.settle();
    CHECK_FALSE(node1.has_file(locks, web_lock));
  }
  SECTION("the VM has been started again meanwhile") {
    node1.libvirt.states[web.uuid] = {.active = true};
    node1.loop.settle();
    CHECK(node1.keeper->level(web) == Level::exclusive);
  }
}

TEST_CASE("the keeper does not ask libvirt after an event that matches the VM's lock") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  int listed = 0;
  node1.libvirt.while_listing = [&] { ++listed; };
  node1.keeper->libvirt_reported(VmChange{web, false});
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.keeper->libvirt_reported(VmChange{web, true});
  Vm exempt{"scratch", *dlmfs::Uuid::parse("00000000-0000-4000-8000-000000000001")};
  node1.context.settings.guard.exempt = {"scratch"};
  node1.keeper->libvirt_reported(VmChange{exempt, true});
  node1.loop.settle();
  CHECK(listed == 0);
}

TEST_CASE("the keeper asks libvirt 3 s after its connection has broken") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);  // its libvirt daemon dies, no release follows
  node1.keeper->libvirt_reported(std::nullopt);
  node1.loop.pass(2900ms);
  CHECK(node1.has_file(locks, web_lock));
  node1.loop.pass(200ms);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("an event during a comparison starts the next one directly after it") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  int listed = 0;
  node1.libvirt.while_listing = [&, started = false]() mutable {
    ++listed;
    if (std::exchange(started, true)) return;
    node1.keeper->libvirt_reported(VmChange{web, true});
  };
  node1.keeper->reconcile();
  node1.loop.settle();
  CHECK(listed == 2);
}

TEST_CASE("the keeper does not adopt an active VM that has no QEMU yet") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.loop.pass(31s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("the keeper adopts a VM whose QEMU /proc hides only if libvirt has its pid file") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeProc proc;
  node1.context.paths.processes = proc.path();
  proc.hide();
  node1.libvirt.states[web.uuid] = {.active = true};
  SECTION("there is no pid file during a start or an end and this is logged once") {
    node1.loop.pass(121s);
    CHECK_FALSE(node1.has_file(locks, web_lock));
    CHECK(node1.count_logged("event=qemu-not-seen") == 1);
  }
  SECTION("there is a pid file") {
    std::filesystem::create_directories(node1.context.paths.pid_files + "/qemu");
    std::ofstream(node1.context.paths.pid_files + "/qemu/web.pid") << ::getpid() << '\n';
    node1.loop.pass(31s);
    CHECK(node1.keeper->level(web) == Level::exclusive);
  }
}

TEST_CASE("the keeper does not adopt an exempt VM") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  node1.context.settings.guard.exempt = {GENERATE(as<std::string>{}, "web", web.uuid.text())};
  auto qemu = FakeHost::run_qemu(web);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.loop.pass(31s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("the keeper does not adopt a VM that became exempt just before its start") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  auto qemu = FakeHost::run_qemu(web);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.keeper->before_comparing([&] { node1.context.settings.guard.exempt = {"web"}; });
  node1.loop.pass(31s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("the keeper raises one alarm with both host names if another host holds the lock") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  KeptHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node2.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  node1.libvirt.states[web.uuid] = {.active = true};
  for (int i = 0; i < 5; ++i) {
    node1.loop.pass(31s);
    node2.loop.settle();
  }
  CHECK(node1.count_logged("event=conflict") == 1);
  CHECK(node1.logged(LOG_CRIT, "here=node1 holder=node2"));
  CHECK(cluster.level(2, locks, web_lock) == Level::exclusive);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("an alarm is raised again after the conflict was resolved once") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  auto qemu = FakeHost::run_qemu(web);
  node1.libvirt.states[web.uuid] = {.active = true};
  for (int i = 0; i < 2; ++i) {
    REQUIRE(node2.mount.trylock(locks, web_lock, Level::exclusive));
    node1.loop.pass(31s);
    CHECK(node1.count_logged("event=conflict") == i + 1);
    REQUIRE(node2.mount.unlink(locks, web_lock));
    node1.loop.pass(31s);
    REQUIRE(node1.keeper->level(web) == Level::exclusive);
    node1.keeper->close(web, [](bool) {});
    node1.loop.settle();
    REQUIRE(node1.mount.unlink(locks, web_lock));
  }
}

TEST_CASE("the keeper removes a lock that no VM needs") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  SECTION("libvirt does not know the VM that was started") {
    REQUIRE_FALSE(prepare(node1.context, web).denied);
  }
  SECTION("there is a lock file without a record") {
    REQUIRE(node1.mount.trylock(locks, web_lock, Level::exclusive));
    REQUIRE(node1.mount.trylock(bells, web_lock, Level::exclusive));
  }
  SECTION("there is a record without a lock file") {
    REQUIRE(node1.context.host.records().write({web, std::chrono::sys_seconds(1s)}));
  }
  node1.loop.pass(31s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.has_file(bells, web_lock));
  CHECK_FALSE(node1.context.host.load_record(web));
  CHECK(node1.keeper->count() == 0);
}

TEST_CASE("the keeper removes a bell that a killed process has left") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE(node1.mount.queue(bells, web_lock, Level::protected_read));
  SECTION("no process asks now") {
    node1.loop.pass(31s);
  }
  SECTION("another process uses it meanwhile") {
    auto other = VmFlock::acquire(node1.context.host.directory, web.uuid, "query", Deadline(1s));
    REQUIRE(other);
    node1.loop.pass(61s);
    CHECK(node1.has_file(bells, web_lock));
    other = fail(Error{});
    node1.loop.pass(31s);
  }
  CHECK_FALSE(node1.has_file(bells, web_lock));
  CHECK(node1.count_logged("event=unlocked") == 0);
}

TEST_CASE("the keeper does not unlock a VM unknown to libvirt while its QEMU is alive") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  node1.loop.pass(120s);
  CHECK(node1.keeper->level(web) == Level::exclusive);
  CHECK(node1.count_logged("event=qemu-outlives-release") == 1);
  qemu.reset();
  node1.loop.pass(3s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("the keeper does not unlock while /proc may hide QEMU and logs this once") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  FakeProc proc;
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.context.paths.processes = proc.path();
  proc.hide();
  SECTION("libvirt has released the VM") {
    CHECK_FALSE(release(node1.context, web).denied);
    CHECK(node1.logged(LOG_ERR, "event=qemu-not-seen"));
    node1.loop.pass(60s);
    CHECK(node1.count_logged("event=qemu-not-seen") == 2);  // once by the hook, once by the keeper
  }
  SECTION("libvirt does not know the VM") {
    node1.loop.pass(60s);
    CHECK(node1.count_logged("event=qemu-not-seen") == 1);
  }
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  proc.show();
  node1.loop.pass(60s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("the keeper does not unlock while a hook of the VM runs") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto hook = VmFlock::acquire(node1.context.host.directory, web.uuid, "start", Deadline(0ms));
  REQUIRE(hook);
  node1.loop.pass(120s);
  CHECK(node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("the keeper does not unlock a VM that was started while libvirt was asked") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.libvirt.while_listing = [&] { REQUIRE_FALSE(prepare(node1.context, web).denied); };
  node1.loop.pass(31s);
  CHECK(node1.keeper->level(web) == Level::exclusive);
  node1.libvirt.while_listing = nullptr;
  node1.loop.pass(31s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("the keeper does not remove a lock file while a process here waits for the lock") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  KeptHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(node2.mount.queue(locks, web_lock, Level::exclusive));
  node2.mount.hide_requests(GENERATE(false, true));
  node2.loop.pass(60s);
  CHECK(node2.has_file(locks, web_lock));
  Vm other{"other", *dlmfs::Uuid::parse("d0c3b7a4-1111-4222-8333-444455556600")};
  CHECK_FALSE(prepare(node2.context, other).denied);  // no unlink blocks the directory
  node2.mount.hide_requests(false);
  REQUIRE_FALSE(release(node1.context, web).denied);
  (*node2.mount.finished(locks, web_lock))->fd.reset();
  node2.loop.pass(60s);
  CHECK_FALSE(node2.has_file(locks, web_lock));
}

TEST_CASE("the keeper does not unlock a VM of another driver") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  Vm container = web;
  container.driver = "lxc";
  REQUIRE_FALSE(prepare(node1.context, container).denied);
  node1.loop.pass(120s);
  CHECK(node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("the keeper does not unlock a VM that may be of another driver") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  Vm container = web;
  container.driver = "lxc";
  auto& directory = node1.context.host.directory;
  SECTION("its record cannot be read") {
    REQUIRE_FALSE(prepare(node1.context, container).denied);
    REQUIRE(directory.write(web.uuid.text(), "what is this?"));
  }
  SECTION("its record could not be written") {
    std::filesystem::create_directory(directory.path_of("." + web.uuid.text() + ".new"));
    REQUIRE_FALSE(reconnect(node1.context, container).denied);
    REQUIRE(node1.logged(LOG_ERR, "event=record-not-written"));
  }
  node1.loop.pass(120s);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("the keeper does not unlock while libvirt does not answer and logs each change") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  node1.libvirt.broken = true;
  node1.loop.pass(120s);
  CHECK(node1.keeper->level(web) == Level::exclusive);
  CHECK(node1.count_logged("event=libvirt-lost") == 1);
  node1.libvirt.broken = false;
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.loop.pass(4s);
  CHECK(node1.count_logged("event=libvirt-back") == 1);
  CHECK(node1.keeper->level(web) == Level::exclusive);
}

TEST_CASE("a keeper without a cluster logs this and begins after the cluster is back") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  auto qemu = FakeHost::run_qemu(web);
  node1.libvirt.states[web.uuid] = {.active = true};
  node1.break_cluster("/dlm is not dlmfs");
  node1.start_keeper();
  node1.loop.pass(60s);
  CHECK(node1.count_logged("event=cluster-lost") == 1);
  CHECK(node1.keeper->status() == "keeping 0 locks; /dlm is not dlmfs");
  node1.repair_cluster();
  node1.loop.pass(5s);
  CHECK(node1.keeper->level(web) == Level::exclusive);
  CHECK(node1.logged("event=cluster-back"));
}

TEST_CASE("the keeper removes files of hooks that have ended from the state directory") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  node1.context.settings.guard.migrate_window = 0ms;
  REQUIRE_FALSE(migrate(node1.context, web).denied);
  {
    auto ended = VmFlock::acquire(node1.context.host.directory, web.uuid, "release", Deadline(0ms));
  }
  node1.loop.pass(31s);
  auto files = node1.context.host.directory.list();
  REQUIRE(files);
  CHECK(std::count_if(files->begin(), files->end(), [](const std::string& file) {
          return file.starts_with(web.uuid.text());
        }) == 0);
}

TEST_CASE("the keeper does not remove valid announcements and flock files in use") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  REQUIRE_FALSE(migrate(node1.context, web).denied);
  auto at_work = VmFlock::acquire(node1.context.host.directory, web.uuid, "prepare", Deadline(0ms));
  REQUIRE(at_work);
  const char* of_lock_verb = "lock.vms db.migrate";
  REQUIRE(node1.context.host.directory.write(of_lock_verb, ""));
  node1.loop.pass(31s);
  CHECK(node1.context.host.directory.stamp(of_lock_verb));
  CHECK(node1.context.host.directory.stamp(web.uuid.text() + ".migrate"));
  CHECK(node1.context.host.directory.stamp(web.uuid.text() + ".flock"));
}

TEST_CASE("a comparison leaves no flock file of a VM without a record") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  node1.libvirt.states[web.uuid] = {.active = true};  // about to start: no QEMU yet
  node1.loop.pass(31s);
  CHECK_FALSE(node1.context.host.directory.stamp(web.uuid.text() + ".flock"));
}

TEST_CASE("the keeper unlocks after the I/O of a dead QEMU has ended") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  Vm vm = web;
  vm.io_uring_disks = {"/dev/vdb"};
  REQUIRE_FALSE(prepare(node1.context, vm).denied);
  node1.set_file_locks(image_locks);
  bool hook_was_called = GENERATE(true, false);
  if (hook_was_called) {
    CHECK_FALSE(release(node1.context, vm).denied);
  }
  node1.loop.pass(100s);
  CHECK(node1.has_file(locks, web_lock));
  CHECK(node1.context.host.load_record(vm));
  CHECK(node1.count_logged("event=io-in-flight") == 1);
  node1.set_file_locks("");
  node1.loop.pass(hook_was_called ? 2s : 31s);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK(node1.logged("event=unlocked"));
}
