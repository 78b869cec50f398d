#include <fstream>
#include <optional>
#include <signal.h>
#include <sys/inotify.h>
#include <thread>
#include <unistd.h>

#include "guard/lock/last_run.hpp"
#include "guard/state/vm_flock.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/fake_host.hpp"
#include "tests/guard/fake_proc.hpp"

using namespace guard;
using dlmfs::Level;
using dlmfs::StandInCluster;

TEST_CASE("release removes the lock and the bell and the record") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(node1.has_file(bells, web_lock));
  CHECK_FALSE(node1.context.host.load_record(web));
  CHECK(node1.logged("event=unlocked"));
}

TEST_CASE("release logs the reason that libvirt reports and no field without one") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  SECTION("libvirt before 10.5 reports none") {
    CHECK_FALSE(release(node1.context, web).denied);
    CHECK(node1.logged("event=unlocked"));
    CHECK_FALSE(node1.logged("reason="));
  }
  SECTION("a plain reason") {
    node1.context.reason = "destroyed";
    CHECK_FALSE(release(node1.context, web).denied);
    CHECK(node1.logged("event=unlocked vm=web uuid=" + web.uuid.text() + " reason=destroyed"));
  }
  SECTION("a reason with a space is quoted and control characters are escaped") {
    node1.context.reason = "from snapshot\n\x1b[31m\" by=x";
    CHECK_FALSE(release(node1.context, web).denied);
    CHECK(node1.logged(R"(reason="from snapshot\u000a\u001b[31m\" by=x")"));
  }
}

TEST_CASE("release without a record does not unlock") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE(node1.mount.trylock(locks, web_lock, Level::exclusive));
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("release does not unlock a VM whose recorded QEMU is alive and logs that at crit") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  node1.write_pid_file(web, *qemu);
  REQUIRE_FALSE(stopped(node1.context, web).denied);
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  CHECK(node1.logged(LOG_CRIT, "event=qemu-outlives-release"));
  CHECK(node1.context.host.load_record(web)->released);
}

TEST_CASE("release does not unlock a VM whose QEMU is alive but not recorded") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
}

TEST_CASE("release does not unlock while a QEMU is ending that may be the VM's") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  FakeProc proc;
  node1.context.paths.processes = proc.path();
  proc.show_this_as("qemu-system-x86", 0);
  std::optional<Level> expected = Level::exclusive;
  SECTION("no record has its process") {}
  SECTION("it is another VM's") {
    Vm db{"db", *dlmfs::Uuid::parse("7b1f0c52-9a64-4d0e-8a55-0242ac120002")};
    Record its{db, {}};
    its.qemu = Process{::getpid(), 4711};
    REQUIRE(node1.context.host.records().write(its));
    expected = std::nullopt;
  }
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK(cluster.level(1, locks, web_lock) == expected);
}

TEST_CASE("release unlocks if QEMU is dead even as a zombie") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  node1.write_pid_file(web, *qemu);
  REQUIRE_FALSE(started(node1.context, web).denied);
  ::kill(qemu->pid, SIGKILL);
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("release does not unlock while a process here has the lock open and marks the record") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto open = node1.mount.trylock(locks, web_lock, Level::exclusive);
  REQUIRE(open);
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK(node1.context.host.load_record(web)->released);
  CHECK(node1.logged("event=lock-open-here"));
  CHECK(prepare(node2.context, web).message.find("node1") != std::string::npos);
  open->fd.reset();
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("release succeeds and marks the record if the lock cannot be unlocked") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  SECTION("dlmfs is not mounted") {
    node1.break_cluster("/dlm is not dlmfs");
  }
  SECTION("unlink fails") {
    node1.mount.fail_next(dlmfs::MountCall::unlink, EIO);
    node1.mount.fail_next(dlmfs::MountCall::unlink, EIO);
  }
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK(node1.context.host.load_record(web)->released);
  CHECK(node1.logged(LOG_ERR, "event=not-unlocked"));
}

TEST_CASE("release unlocks even if the record cannot be read") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE(node1.context.host.directory.write(web.uuid.text(), "what is this?"));
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("I/O in flight of a dead QEMU keeps the lock and denies a start on every host") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  Vm vm = web;
  vm.io_uring_disks = {"/dev/vdb"};
  REQUIRE_FALSE(prepare(node1.context, vm).denied);
  node1.set_file_locks(image_locks);
  CHECK_FALSE(release(node1.context, vm).denied);
  CHECK(node1.context.host.load_record(vm)->released);
  CHECK(node1.logged(LOG_CRIT, "event=io-in-flight"));
  CHECK(node1.logged("may still reach /dev/vdb"));
  CHECK(node1.logged("00:05:98"));
  CHECK(prepare(node2.context, vm).message.find("node1") != std::string::npos);
  auto denied = prepare(node1.context, vm);
  CHECK(denied.denied);
  CHECK(denied.message.find("a write of its last run may still reach /dev/vdb") !=
        std::string::npos);
  REQUIRE(release(node1.context, vm).message.empty());
  CHECK(node1.has_file(locks, web_lock));
  node1.set_file_locks("");
  CHECK_FALSE(release(node1.context, vm).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
  CHECK_FALSE(prepare(node2.context, vm).denied);
}

TEST_CASE("release does not unlock if /proc/locks cannot be read") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  Vm vm = web;
  vm.io_uring_disks = {"/dev/vdb"};
  REQUIRE_FALSE(prepare(node1.context, vm).denied);
  std::filesystem::remove(node1.context.paths.open_files + "/locks");
  CHECK_FALSE(release(node1.context, vm).denied);
  CHECK(node1.has_file(locks, web_lock));
  CHECK(node1.logged(LOG_CRIT, "can't tell"));
}

TEST_CASE("release unlocks a VM without io_uring disks despite I/O in flight") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  Vm vm = web;
  vm.io_uring_disks.emplace();
  REQUIRE_FALSE(prepare(node1.context, vm).denied);
  node1.set_file_locks(image_locks);
  CHECK_FALSE(release(node1.context, vm).denied);
  CHECK_FALSE(node1.has_file(locks, web_lock));
}

TEST_CASE("without a release all I/O in flight counts because a disk may have been attached") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  Vm vm = web;
  vm.io_uring_disks.emplace();
  REQUIRE_FALSE(prepare(node1.context, vm).denied);
  node1.set_file_locks(image_locks);
  auto record = node1.context.host.load_record(vm);
  CHECK(find_last_run(node1.context, vm, record)->kind == LastRun::Kind::io_in_flight);
  record->released = true;
  CHECK_FALSE(find_last_run(node1.context, vm, record));
}

TEST_CASE("release considers only I/O in flight to the VM's own images") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  Vm vm = web;
  vm.io_uring_disks = {"/dev/vdb"};
  REQUIRE_FALSE(prepare(node1.context, vm).denied);
  auto record = node1.context.host.load_record(vm).value();
  record.images = {"00:05:99"};
  REQUIRE(node1.context.host.records().write(record));
  node1.set_file_locks(image_locks);
  SECTION("all disks of the VM are recorded") {
    CHECK_FALSE(release(node1.context, vm).denied);
    CHECK_FALSE(node1.has_file(locks, web_lock));
  }
  SECTION("a disk was attached later so all I/O counts") {
    vm.io_uring_disks->emplace_back("/dev/vdc");
    CHECK_FALSE(release(node1.context, vm).denied);
    CHECK(node1.has_file(locks, web_lock));
    CHECK(node1.logged("/dev/vdb, /dev/vdc"));
  }
  SECTION("libvirt does not report the disks so all I/O counts") {
    vm.io_uring_disks.reset();
    CHECK_FALSE(release(node1.context, vm).denied);
    CHECK(node1.has_file(locks, web_lock));
  }
}

TEST_CASE("started records the files that QEMU has locked") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  Vm vm = web;
  vm.io_uring_disks = {"/dev/vdb"};
  REQUIRE_FALSE(prepare(node1.context, vm).denied);
  auto qemu = FakeHost::run_qemu(vm);
  node1.write_pid_file(vm, *qemu);
  auto open_files = node1.context.paths.open_files + "/" + std::to_string(qemu->pid) + "/fdinfo";
  std::filesystem::create_directories(open_files);
  std::ofstream(open_files + "/7")
      << "pos:\t0\nlock:\t1: OFDLCK ADVISORY  READ -1 fe:10:12 100 101\n";
  REQUIRE_FALSE(started(node1.context, vm).denied);
  CHECK(node1.context.host.load_record(vm)->images == FileIds{"fe:10:12"});
}

TEST_CASE("a denied host does not see the name of the previous holder") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  FakeHost node2(cluster, 2);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  REQUIRE_FALSE(release(node1.context, web).denied);
  REQUIRE(node2.mount.trylock(locks, web_lock, Level::exclusive));
  CHECK(prepare(node1.context, web).message.find("node1") == std::string::npos);
}

namespace {

using namespace hook;

/// Calls `release` in a thread that waits for the VM's flock, and calls `while_stalled` during that
/// wait.
void release_stalled(FakeHost& host, const std::function<void()>& while_stalled) {
  auto flock = VmFlock::acquire(host.context.host.directory, web.uuid, "test",
                                Deadline(std::chrono::seconds(0)));
  REQUIRE(flock);
  std::optional<VmFlock> held = std::move(*flock);
  host.context.deadline = Deadline(std::chrono::seconds(20));
  UniqueFd opens(::inotify_init1(IN_CLOEXEC));
  auto file = host.context.host.directory.path_of(web.uuid.text() + ".flock");
  REQUIRE(::inotify_add_watch(opens.get(), file.c_str(), IN_OPEN) >= 0);
  std::thread call([&] { CHECK_FALSE(release(host.context, web).denied); });
  inotify_event opened{};
  REQUIRE(::read(opens.get(), &opened, sizeof opened) == sizeof opened);
  while_stalled();
  held.reset();
  call.join();
}

/// Returns a record of the VM's next run.
Record next_run() {
  Record record{web, std::chrono::sys_seconds(std::chrono::seconds(4711)), Origin::start};
  return record;
}

}  // namespace

TEST_CASE("release does not unlock a VM started again after the calling daemon died") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  release_stalled(node1, [&] {
    node1.context.caller.parent = [] { return 1; };
    REQUIRE(node1.context.host.records().write(next_run()));
  });
  CHECK(cluster.level(1, locks, web_lock) == Level::exclusive);
  auto record = node1.context.host.load_record(web);
  REQUIRE(record);
  CHECK(record->since == next_run().since);
  CHECK_FALSE(record->released);
  CHECK(node1.logged(LOG_WARNING, "event=caller-gone"));
}

TEST_CASE("release uses the record as it is after the VM's flock is acquired") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  release_stalled(node1, [&] {
    Record record = next_run();
    record.shared = true;
    REQUIRE(node1.context.host.records().write(record));
  });
  auto record = node1.context.host.load_record(web);
  REQUIRE(record);
  CHECK(record->released);
  CHECK(record->shared);
}

TEST_CASE("release without the VM's flock writes nothing") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto stamp = node1.context.host.records().stamp(web.uuid);
  auto flock = VmFlock::acquire(node1.context.host.directory, web.uuid, "other",
                                Deadline(std::chrono::seconds(0)));
  CHECK_FALSE(release(node1.context, web).denied);
  CHECK(node1.context.host.records().stamp(web.uuid) == stamp);
  CHECK(node1.logged(LOG_ERR, "event=not-unlocked"));
}

TEST_CASE("stopped records no process if the calling daemon has died") {
  StandInCluster cluster;
  FakeHost node1(cluster, 1);
  REQUIRE_FALSE(prepare(node1.context, web).denied);
  auto qemu = FakeHost::run_qemu(web);
  node1.write_pid_file(web, *qemu);
  node1.context.caller.parent = [] { return 1; };
  CHECK_FALSE(stopped(node1.context, web).denied);
  CHECK_FALSE(node1.context.host.load_record(web)->qemu);
}
