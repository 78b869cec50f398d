// The anomalies that `list` and `check` report about a VM.

#include "guard/command/lock_inventory.hpp"

#include <fstream>

#include "hook/handlers.hpp"
#include "tests/catch.hpp"
#include "tests/guard/command/verb_context.hpp"

using namespace guard;
using namespace guard::command;
using dlmfs::Level;
using dlmfs::StandInCluster;

namespace {

using namespace hook;

/// A host, and the kernel's table of the locks that it was granted.
struct Seen {
  StandInCluster cluster;
  KeptHost host{cluster, 1};
  TemporaryDirectory kernel;

  Seen() {
    host.context.cluster.paths = {.clusters = kernel.path(), .debug = kernel.path()};
    auto node = kernel.path() / "lab" / "node" / "node1";
    std::filesystem::create_directories(node);
    std::ofstream(node / "num") << "1\n";
    std::ofstream(node / "local") << "1\n";
    std::filesystem::create_directories(kernel.path() / locks.text());
    grant("");
  }

  /// `level`: the kernel's number, 5 EX, 3 PR; empty: nothing was granted.
  void grant(const std::string& level) const {
    std::ofstream state(kernel.path() / locks.text() / "locking_state");
    if (level.empty()) return;
    state << "NAME:" << web_lock.text() << "\nLRES:1,1,0\nLOCK:1,0," << level
          << ",-1,1,1:7,0,0,0,0\n\n";
  }

  void start_web() {
    REQUIRE_FALSE(prepare(host.context, web).denied);
    host.libvirt.states[web.uuid] = {.active = true};
    grant("5");
  }

  InventoryEntry one() {
    auto seen = take_inventory(context_of(host));
    REQUIRE(seen.vms.size() == 1);
    return seen.vms.front();
  }

  std::vector<AnomalyKind> odd() {
    std::vector<AnomalyKind> kinds;
    auto seen = take_inventory(context_of(host));
    for (const auto& vm : seen.vms) {
      for (const auto& anomaly : anomalies_of(vm, seen.keeper_runs))
        kinds.push_back(anomaly.kind);
    }
    return kinds;
  }
};

using Odd = std::vector<AnomalyKind>;

}  // namespace

TEST_CASE("a VM that runs with its lock has no anomaly") {
  Seen seen;
  seen.start_web();
  InventoryEntry vm = seen.one();
  CHECK(vm.vm.name == "web");
  CHECK(vm.level == Level::exclusive);
  CHECK(vm.kept);
  CHECK(vm.runs == true);
  CHECK(seen.odd() == Odd{});
}

TEST_CASE("the inventory of a host without locks and VMs is empty") {
  Seen seen;
  auto nothing = take_inventory(context_of(seen.host));
  CHECK(nothing.vms.empty());
  CHECK(nothing.cluster_trouble.empty());
  CHECK(nothing.libvirt_trouble.empty());
}

TEST_CASE("a VM that runs without its lock is an anomaly") {
  Seen seen;
  auto qemu = FakeHost::run_qemu(web);
  seen.host.libvirt.states[web.uuid] = {.active = true};
  CHECK(seen.odd() == Odd{AnomalyKind::runs_without_lock});
}

TEST_CASE("a kept lock without a file is in a dlmfs that was unmounted lazily") {
  Seen seen;
  seen.start_web();
  StandInCluster other;  // the dlmfs that is mounted instead
  seen.host.context.cluster.open_any_mount = [mount = std::make_shared<FakeHost>(other, 1)] {
    return mount->context.cluster.open_any_mount();
  };
  CHECK(seen.odd() == Odd{AnomalyKind::detached});
}

TEST_CASE("a VM that is about to start without a lock is no anomaly") {
  Seen seen;
  seen.host.libvirt.states[web.uuid] = {.active = true};
  CHECK(seen.odd() == Odd{});
}

TEST_CASE("a lock that is released while libvirt is asked is no anomaly") {
  Seen seen;
  seen.start_web();
  seen.host.libvirt.while_listing = [&] {
    seen.host.libvirt.states.clear();
    CHECK_FALSE(release(seen.host.context, web).denied);
  };
  CHECK(seen.odd() == Odd{});
}

TEST_CASE("a VM whose lock another host has acquired runs without its lock despite the file") {
  Seen seen;
  auto qemu = FakeHost::run_qemu(web);
  seen.host.kill_keeper();
  seen.start_web();
  seen.grant("");
  CHECK(seen.odd() == Odd{AnomalyKind::runs_without_lock});
}

TEST_CASE("an exempt VM without a lock is no anomaly") {
  Seen seen;
  seen.host.context.settings.guard.exempt = {GENERATE(as<std::string>{}, "web", web.uuid.text())};
  seen.host.libvirt.states[web.uuid] = {.active = true};
  CHECK(seen.odd() == Odd{});
}

TEST_CASE("a lock without a VM is left over") {
  Seen seen;
  seen.start_web();
  seen.host.libvirt.states.clear();
  CHECK(seen.odd() == Odd{AnomalyKind::left_over});
}

TEST_CASE("a lock file for which a process here waits is not left over") {
  Seen seen;
  auto& node2 = seen.cluster.host(2);
  REQUIRE(node2.join(locks));
  auto held = node2.trylock(locks, web_lock, Level::exclusive);
  REQUIRE(seen.host.mount.join(locks));
  REQUIRE_FALSE(seen.host.mount.queue(locks, web_lock, Level::exclusive));
  auto table = seen.kernel.path() / locks.text() / "locking_state";
  std::ofstream(table) << "NAME:" << web_lock.text() << "\nLRES:1,1,0\nLOCK:1,2,5,-1,1,1:7,0\n\n";
  CHECK(seen.odd() == Odd{AnomalyKind::waited_for});
  std::filesystem::remove(table);
  seen.host.kill_keeper();
  auto unseen = take_inventory(context_of(seen.host));
  auto anomalies = anomalies_of(unseen.vms.front(), false);
  CHECK(anomalies.front().kind == AnomalyKind::waiter_not_seen);
}

TEST_CASE("no lock is left over if libvirt does not answer") {
  Seen seen;
  seen.start_web();
  seen.host.libvirt.states.clear();
  seen.host.libvirt.broken = true;
  CHECK(seen.odd() == Odd{});
  CHECK(take_inventory(context_of(seen.host)).libvirt_trouble == "libvirt is not there");
}

TEST_CASE("a lock of a released VM whose QEMU is alive is not left over") {
  Seen seen;
  seen.start_web();
  auto qemu = FakeHost::run_qemu(web);
  REQUIRE_FALSE(release(seen.host.context, web).denied);
  seen.host.libvirt.states.clear();
  CHECK(seen.odd() == Odd{AnomalyKind::outlived});
}

TEST_CASE("a lock is not kept if no keeper runs") {
  Seen seen;
  seen.start_web();
  seen.host.kill_keeper();
  CHECK(seen.odd() == Odd{AnomalyKind::keeper_down});
}

TEST_CASE("a lock that the keeper does not have open is not kept") {
  Seen seen;
  seen.host.kill_keeper();
  seen.start_web();
  auto record = seen.host.context.host.records().find(web.uuid);
  REQUIRE(seen.host.context.host.records().remove(web.uuid));
  seen.host.libvirt.broken = true;  // otherwise it would be adopted
  seen.host.start_keeper();
  seen.host.libvirt.broken = false;
  REQUIRE(seen.host.context.host.records().write(**record));
  CHECK(seen.odd() == Odd{AnomalyKind::not_kept});
}

TEST_CASE("a lock is shared during a migration") {
  Seen seen;
  seen.host.kill_keeper();
  seen.start_web();
  seen.grant("3");
  CHECK(seen.odd() == Odd{AnomalyKind::shared, AnomalyKind::keeper_down});
  CHECK(seen.one().level == Level::protected_read);
}

TEST_CASE("a lock file counts as a lock if the kernel does not report its level") {
  Seen seen;
  seen.host.kill_keeper();
  seen.start_web();
  std::filesystem::remove(seen.kernel.path() / locks.text() / "locking_state");
  CHECK_FALSE(seen.one().level_known);
  CHECK(seen.odd() == Odd{AnomalyKind::keeper_down});
}

TEST_CASE("a container's lock is not checked") {
  Seen seen;
  Vm container = web;
  container.driver = "lxc";
  REQUIRE_FALSE(prepare(seen.host.context, container).denied);
  CHECK(seen.odd() == Odd{AnomalyKind::unchecked_driver});
}

TEST_CASE("a lock with an unreadable record is an alarm unless the service knows the driver") {
  Seen seen;
  seen.start_web();
  seen.host.libvirt.states.clear();
  REQUIRE(seen.host.context.host.directory.write(web.uuid.text(), "what is this?"));
  CHECK(seen.odd() == Odd{AnomalyKind::left_over});
  seen.host.kill_keeper();
  auto odd = seen.odd();
  CHECK(std::find(odd.begin(), odd.end(), AnomalyKind::record_unreadable) != odd.end());
}

TEST_CASE("without a cluster the reason and the recorded locks are reported") {
  Seen seen;
  seen.start_web();
  seen.host.break_cluster("no dlmfs");
  auto found = take_inventory(context_of(seen.host));
  CHECK(found.cluster_trouble == "no dlmfs");
  CHECK(found.vms.size() == 1);
}
