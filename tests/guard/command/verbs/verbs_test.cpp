// Tests of holder, release, release-ended, reconcile, leave, join and metrics.

#include <fstream>

#include "guard/command/output/json.hpp"
#include "guard/command/verbs/holder.hpp"
#include "guard/command/verbs/join_leave.hpp"
#include "guard/command/verbs/list.hpp"
#include "guard/command/verbs/metrics.hpp"
#include "guard/command/verbs/reconcile.hpp"
#include "guard/command/verbs/release.hpp"
#include "guard/command/verbs/release_ended.hpp"
#include "guard/state/vm_flock.hpp"
#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/dlmfs/connection_table.hpp"
#include "tests/dlmfs/mount_tables.hpp"
#include "tests/guard/command/verb_context.hpp"
#include "tests/guard/fake_proc.hpp"

using namespace guard;
using namespace guard::command;
using namespace std::chrono_literals;
using dlmfs::StandInCluster;

namespace {

using namespace hook;

constexpr int failed = static_cast<int>(ExitStatus::failed);
constexpr int unavailable = static_cast<int>(ExitStatus::unavailable);

/// Two hosts that know the VM; it runs on the first.
struct TwoHosts {
  StandInCluster cluster;
  KeptHost node1{cluster, 1};
  KeptHost node2{cluster, 2};

  TwoHosts() {
    REQUIRE_FALSE(prepare(node1.context, web).denied);
    node1.libvirt.states[web.uuid] = {.active = true};
    node2.libvirt.states[web.uuid] = {};
  }
  void forget_vm() { node1.libvirt.states[web.uuid] = {}; }
  bool held() { return node1.has_file(locks, web_lock); }
};

}  // namespace

TEST_CASE("holder names the host on its own host and on another one") {
  TwoHosts hosts;
  for (KeptHost* host : {&hosts.node1, &hosts.node2}) {
    auto outcome = holder(context_of(*host), "web", false);
    CHECK(outcome.status == 0);
    CHECK(outcome.out.starts_with("web: node1 since 20"));
  }
  auto json = Json::parse(holder(context_of(hosts.node2), "web", true).out);
  CHECK(json["host"] == "node1");
  CHECK(json["migrating"] == false);
}

TEST_CASE("holder keeps other processes of its host from the bell that it asks") {
  TwoHosts hosts;
  const auto& directory = hosts.node2.context.host.directory;
  std::string trouble;
  hosts.node1.mount.on_queued(bells, web_lock, [&] {
    auto other = VmFlock::acquire(directory, web.uuid, "prepare", Deadline(0ms));
    if (!other) trouble = other.error().what;
    hosts.node1.loop.pass(2s);
  });
  CHECK(holder(context_of(hosts.node2), "web", false).status == 0);
  CHECK(contains(trouble, "another operation (query for the holder, pid"));
  CHECK_FALSE(hosts.node2.has_file(bells, web_lock));
  CHECK_FALSE(std::filesystem::exists(directory.path_of(web.uuid.text() + ".flock")));
}

TEST_CASE("holder does not touch a bell that another process of its host may use") {
  TwoHosts hosts;
  auto hook =
      VmFlock::acquire(hosts.node2.context.host.directory, web.uuid, "prepare", Deadline(0ms));
  REQUIRE(hook);
  bool asked = false;
  hosts.node1.mount.on_queued(bells, web_lock, [&] { asked = true; });
  auto outcome = holder(context_of(hosts.node2), "web", false);
  CHECK(outcome.status == unavailable);
  CHECK(contains(outcome.err, "VM 'web': another operation (prepare, pid"));
  CHECK_FALSE(asked);
}

TEST_CASE("holder names its own host if a start there acquires the lock meanwhile") {
  TwoHosts hosts;
  REQUIRE_FALSE(release(hosts.node1.context, web).denied);
  struct StartsFirst final : CallRunner {
    explicit StartsFirst(KeptHost& host) : host_(host) {}
    std::unique_ptr<PendingCall> start(AbandonableCall& call) override {
      REQUIRE_FALSE(prepare(host_.context, web).denied);
      return host_.context.runner->start(call);
    }
    KeptHost& host_;
  } runner(hosts.node2);
  auto& context = hosts.node2.context;
  auto outcome = holder({context, *context.keeper, runner, hosts.node2.libvirt, context.deadline},
                        "web", false);
  CHECK(outcome.out.starts_with("web: node2 since 20"));
  CHECK(hosts.node2.has_file(bells, web_lock));
}

TEST_CASE("holder and list ask nothing while a host is silent") {
  TwoHosts hosts;
  TemporaryDirectory directory;
  auto& context = hosts.node2.context;
  context.cluster.paths.connections = directory.path() / "sock_containers";
  std::ofstream(context.cluster.paths.connections)
      << dlmfs::connection_table({{"node1", 61s}, {"node3", 0ms}});
  context.deadline = Deadline(0ms);
  bool asked = false;
  hosts.node1.mount.on_queued(bells, web_lock, [&] { asked = true; });
  auto silent = "host node1 has not answered the cluster for 61 s";
  CHECK(contains(holder(context_of(hosts.node2), "web", false).err, silent));
  ListOptions whole_cluster;
  whole_cluster.cluster = true;
  CHECK(contains(list(context_of(hosts.node2), whole_cluster).out, silent));
  CHECK_FALSE(asked);
}

TEST_CASE("holder fails for a VM without a holder") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  auto outcome = holder(context_of(node1), web.uuid.text(), false);
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.out, "no host says that it holds its lock"));
  CHECK_FALSE(node1.has_file(bells, web_lock));
}

TEST_CASE("holder during a migration grants no hand-over") {
  TwoHosts hosts;
  hosts.node1.libvirt.states[web.uuid] = {true, VmState::Job::outgoing_migration, 500ms};
  auto outcome = holder(context_of(hosts.node2), "web", false);
  CHECK(outcome.out.starts_with("web: node1 since 20"));
  CHECK(contains(outcome.out, "migration under way"));
  hosts.node1.loop.pass(5s);
  CHECK(hosts.cluster.level(1, locks, web_lock) == dlmfs::Level::exclusive);
}

TEST_CASE("holder without a cluster fails with the reason") {
  TwoHosts hosts;
  hosts.node2.break_cluster("no dlmfs");
  auto outcome = holder(context_of(hosts.node2), "web", false);
  CHECK(outcome.status == unavailable);
  CHECK(contains(outcome.err, "no dlmfs"));
}

TEST_CASE("release unlocks a lock that is left over") {
  TwoHosts hosts;
  hosts.forget_vm();
  auto outcome = release_lock(context_of(hosts.node1), "web", false);
  CHECK(outcome.status == 0);
  CHECK_FALSE(hosts.held());
  CHECK_FALSE(hosts.node1.context.host.records().stamp(web.uuid));
  CHECK(hosts.node1.logged("by=operator"));
}

TEST_CASE("release does not unlock a VM that runs here unless --force is given") {
  TwoHosts hosts;
  auto outcome = release_lock(context_of(hosts.node1), "web", false);
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.err, "libvirt reports that it runs here"));
  CHECK(hosts.held());
  CHECK(release_lock(context_of(hosts.node1), "web", true).status == 0);
  CHECK_FALSE(hosts.held());
}

TEST_CASE("release does not unlock if libvirt does not answer") {
  TwoHosts hosts;
  hosts.node1.libvirt.broken = true;
  CHECK(release_lock(context_of(hosts.node1), "web", false).status == failed);
  CHECK(hosts.held());
}

TEST_CASE("release --force does not unlock a VM whose QEMU is alive") {
  TwoHosts hosts;
  hosts.forget_vm();
  auto qemu = FakeHost::run_qemu(web);
  bool force = GENERATE(true, false);
  auto outcome = release_lock(context_of(hosts.node1), "web", force);
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.err, "its QEMU is alive"));
  CHECK(hosts.held());
}

TEST_CASE("release --force does not unlock a VM while /proc may hide its QEMU") {
  TwoHosts hosts;
  FakeProc proc;
  hosts.forget_vm();
  hosts.node1.context.paths.processes = proc.path();
  proc.hide();
  auto outcome = release_lock(context_of(hosts.node1), "web", GENERATE(true, false));
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.err, "QEMU is alive: /proc is mounted with hidepid"));
  CHECK(contains(outcome.err, "remount,hidepid=0"));
  CHECK(hosts.held());
}

TEST_CASE("release --force does not unlock a VM while a hook of it runs") {
  TwoHosts hosts;
  hosts.forget_vm();
  auto flock =
      VmFlock::acquire(hosts.node1.context.host.directory, web.uuid, "prepare", Deadline(0ms));
  REQUIRE(flock);
  CHECK(release_lock(context_of(hosts.node1), "web", true).status == failed);
  CHECK(hosts.held());
}

TEST_CASE("release of a lock that this host does not hold fails and leaves no file") {
  TwoHosts hosts;
  auto outcome = release_lock(context_of(hosts.node2), "web", false);
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.err, "this host does not hold it"));
  CHECK(hosts.held());
  CHECK_FALSE(hosts.node2.has_file(locks, web_lock));
}

namespace {

/// The same hosts at a shutdown of the first: its service has stopped, and no daemon of libvirt
/// runs.
struct AtShutdown : TwoHosts {
  AtShutdown() {
    node1.stop_keeper();
    node1.libvirt.broken = true;
    node1.context.paths.processes = node1.context.paths.open_files = proc.path();
    std::ofstream(proc.path() / "locks");
  }
  void show(pid_t pid) const {
    std::filesystem::create_directory_symlink(fmt::format("/proc/{}", pid),
                                              proc.path() / std::to_string(pid));
  }
  void run_daemon() const {
    auto daemon = proc.path() / "312";
    std::filesystem::create_directory(daemon);
    std::ofstream(daemon / "comm") << "libvirtd\n";
    std::ofstream(daemon / "cmdline") << "libvirtd" << '\0';
    std::ofstream(daemon / "stat") << "312 (libvirtd) S 1 0 0 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 0 0";
  }
  FakeProc proc;
};

}  // namespace

TEST_CASE("release-ended unlocks a VM that has ended") {
  AtShutdown hosts;
  auto outcome = release_ended(context_of(hosts.node1));
  CHECK(outcome.status == 0);
  CHECK(outcome.out.empty());
  CHECK_FALSE(hosts.held());
  CHECK(hosts.node1.logged("by=shutdown"));
}

TEST_CASE("release-ended unlocks nothing while a QEMU is alive and prints its pid") {
  AtShutdown hosts;
  const Vm other_vm{"db", *dlmfs::Uuid::parse("00000000-0000-4000-8000-000000000001")};
  REQUIRE_FALSE(prepare(hosts.node1.context, other_vm).denied);
  auto qemu = FakeHost::run_qemu(web);
  hosts.show(qemu->pid);
  auto outcome = release_ended(context_of(hosts.node1));
  CHECK(outcome.status == static_cast<int>(ExitStatus::not_ended));
  CHECK(outcome.out == fmt::format("{} web: its QEMU is alive\n", qemu->pid));
  CHECK(hosts.held());
  CHECK(hosts.node1.context.host.records().stamp(other_vm.uuid));
}

TEST_CASE("release-ended unlocks nothing while /proc may hide a QEMU") {
  AtShutdown hosts;
  hosts.proc.hide();
  auto outcome = release_ended(context_of(hosts.node1));
  CHECK(outcome.status == static_cast<int>(ExitStatus::not_ended));
  CHECK(outcome.out.starts_with("- web: "));
  CHECK(hosts.held());
}

TEST_CASE("release-ended refuses while a daemon of libvirt runs") {
  AtShutdown hosts;
  hosts.run_daemon();
  auto outcome = release_ended(context_of(hosts.node1));
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.err, "libvirtd runs, process 312"));
  CHECK(hosts.held());
}

TEST_CASE("release-ended reports a living QEMU also while a daemon runs or the cluster is down") {
  AtShutdown hosts;
  auto qemu = FakeHost::run_qemu(web);
  hosts.show(qemu->pid);
  if (GENERATE(true, false)) {
    hosts.run_daemon();
  } else {
    hosts.node1.break_cluster("no dlmfs");
  }
  auto outcome = release_ended(context_of(hosts.node1));
  CHECK(outcome.status == static_cast<int>(ExitStatus::not_ended));
  CHECK(outcome.out == fmt::format("{} web: its QEMU is alive\n", qemu->pid));
}

TEST_CASE("release-ended unlocks others while a hook works on one VM and fails") {
  AtShutdown hosts;
  const Vm other{"db", *dlmfs::Uuid::parse("00000000-0000-4000-8000-000000000001")};
  REQUIRE_FALSE(prepare(hosts.node1.context, other).denied);
  auto flock =
      VmFlock::acquire(hosts.node1.context.host.directory, other.uuid, "prepare", Deadline(0ms));
  REQUIRE(flock);
  auto outcome = release_ended(context_of(hosts.node1));
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.err, "the lock of VM 'db' stays"));
  CHECK_FALSE(hosts.held());
}

TEST_CASE("release-ended without a cluster fails with the reason") {
  AtShutdown hosts;
  hosts.node1.break_cluster("no dlmfs");
  auto outcome = release_ended(context_of(hosts.node1));
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.err, "no dlmfs"));
}

TEST_CASE("release-ended leaves a lock without a record and a container's lock") {
  AtShutdown hosts;
  Vm vm = web;
  if (GENERATE(true, false)) {
    REQUIRE(hosts.node1.context.host.records().remove(web.uuid));
  } else {
    vm.driver = "lxc";
    hosts.node1.context.host.write_record(Record{vm, {}});
  }
  CHECK(release_ended(context_of(hosts.node1)).status == 0);
  CHECK(hosts.held());
}

TEST_CASE("reconcile --dry-run only prints the planned actions") {
  TwoHosts hosts;
  hosts.forget_vm();
  auto outcome = command::reconcile(context_of(hosts.node1), true);
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "web: would unlock: no such VM runs here\n");
  CHECK(hosts.held());
}

TEST_CASE("reconcile unlocks a lock that is left over with and without a keeper") {
  TwoHosts hosts;
  hosts.forget_vm();
  if (GENERATE(true, false)) hosts.node1.stop_keeper();
  auto outcome = command::reconcile(context_of(hosts.node1), false);
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "web: unlock: no such VM runs here: done\n");
  CHECK_FALSE(hosts.held());
}

TEST_CASE("reconcile acquires the lock of a VM that runs without it with and without a keeper") {
  StandInCluster cluster;
  KeptHost node1(cluster, 1);
  auto qemu = FakeHost::run_qemu(web);
  node1.libvirt.states[web.uuid] = {.active = true};
  if (GENERATE(true, false)) node1.stop_keeper();
  auto outcome = command::reconcile(context_of(node1), false);
  CHECK(outcome.out == "web: acquire the lock: the VM runs here without it: done\n");
  CHECK(cluster.level(1, locks, web_lock) == dlmfs::Level::exclusive);
  CHECK(node1.logged("event=adopted"));
}

TEST_CASE("reconcile fails and reports a lock that it cannot acquire") {
  TwoHosts hosts;
  auto qemu = FakeHost::run_qemu(web);
  hosts.node2.libvirt.states[web.uuid] = {.active = true};
  auto outcome = command::reconcile(context_of(hosts.node2), false);
  CHECK(outcome.status == failed);
  CHECK(contains(outcome.out, "web: acquire the lock: the VM runs here without it: failed"));
}

TEST_CASE("reconcile prints nothing if nothing is wrong") {
  TwoHosts hosts;
  auto outcome = command::reconcile(context_of(hosts.node1), false);
  CHECK(outcome.status == 0);
  CHECK(outcome.out.empty());
}

TEST_CASE("reconcile changes nothing if libvirt or the cluster does not answer") {
  TwoHosts hosts;
  hosts.forget_vm();
  if (GENERATE(true, false)) {
    hosts.node1.libvirt.broken = true;
  } else {
    hosts.node1.break_cluster("no dlmfs");
  }
  CHECK(command::reconcile(context_of(hosts.node1), false).status == unavailable);
  hosts.node1.repair_cluster();
  CHECK(hosts.held());
}

TEST_CASE("leave fails while this host holds a lock") {
  TwoHosts hosts;
  CHECK(leave(context_of(hosts.node1)).status == failed);
  CHECK(leave(context_of(hosts.node2)).status == 0);
  CHECK(join(context_of(hosts.node2)).status == 0);
  CHECK(hosts.node2.mount.list(locks));
}

TEST_CASE("leave without dlmfs succeeds but fails if dlmfs is mounted elsewhere") {
  TwoHosts hosts;
  hosts.node1.break_cluster("no dlmfs");
  TemporaryDirectory folder;
  auto& paths = hosts.node1.context.cluster.paths;
  paths.mounts = folder.path() / "mounts";
  paths.mount_details = folder.path() / "mountinfo";
  write_mounts(paths, {{"0:20", "/proc", "proc"}});
  CHECK(leave(context_of(hosts.node1)).status == 0);
  write_mounts(paths, {{"0:42", "/elsewhere"}});
  CHECK(leave(context_of(hosts.node1)).status == unavailable);
}

TEST_CASE("metrics count the locks and the events since boot") {
  TwoHosts hosts;
  CHECK(prepare(hosts.node2.context, web).denied);
  CHECK(prepare(hosts.node2.context, web).denied);
  auto one = metrics(context_of(hosts.node1)).out;
  CHECK(contains(one, "\nstart_guard_locks_held 1\n"));
  CHECK(contains(one, "\nstart_guard_locks_kept 1\n"));
  CHECK(contains(one, "\nstart_guard_keeper_up 1\n"));
  CHECK(contains(one, "\nstart_guard_starts_denied_total 0\n"));
  CHECK(contains(one, "\n# TYPE start_guard_starts_denied_total counter\n"));
  auto two = metrics(context_of(hosts.node2)).out;
  CHECK(contains(two, "\nstart_guard_locks_held 0\n"));
  CHECK(contains(two, "\nstart_guard_starts_denied_total 2\n"));
}

TEST_CASE("metrics print the reconciliation age only after a reconciliation") {
  TwoHosts hosts;
  auto said = metrics(context_of(hosts.node1)).out;
  std::string age = "\nstart_guard_reconciliation_age_seconds ";
  // 1 if a second begins between the reconciliation and here.
  CHECK((contains(said, age + "0\n") || contains(said, age + "1\n")));
  REQUIRE(hosts.node1.context.host.directory.remove(Reconciler::stamp_file));
  CHECK_FALSE(contains(metrics(context_of(hosts.node1)).out, "reconciliation_age"));
}

TEST_CASE("release shows a name that contains commands to a terminal without them") {
  TwoHosts hosts;
  hosts.node1.libvirt.names[web.uuid] = "w\u009b31m";
  auto outcome = release_lock(context_of(hosts.node1), "w\u009b31m", false);
  CHECK(outcome.status == static_cast<int>(ExitStatus::failed));
  CHECK_FALSE(contains(outcome.err, "\u009b"));
  CHECK(contains(outcome.err, "\\u009b31m"));
}
