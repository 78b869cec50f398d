#include <fstream>

#include "guard/command/checks/all.hpp"
#include "tests/guard/command/checks/fake_system_paths.hpp"
#include "tests/guard/fake_host.hpp"

using namespace guard;
using namespace guard::command;
using dlmfs::Level;

namespace {

InventoryEntry running_web() {
  return {.vm = web,
          .record = Record{web, {}},
          .file = true,
          .level = Level::exclusive,
          .kept = true,
          .runs = true};
}

LockInventory of(std::vector<InventoryEntry> vms) {
  return {.vms = std::move(vms), .keeper_runs = true};
}

}  // namespace

TEST_CASE("a VM that runs with a kept lock is ok") {
  auto finding = check_vms(of({running_web()}));
  CHECK(is(finding, Health::ok));
  CHECK(finding.found == "1 runs here, with its lock");
  CHECK(is(check_vms(of({})), Health::ok));
  CHECK(check_vms(of({running_web(), running_web()})).found == "2 run here, each with its lock");
}

TEST_CASE("a VM that runs without a lock is a failure") {
  auto qemu = FakeHost::run_qemu(web);
  InventoryEntry vm = running_web();
  vm.file = vm.kept = false;
  vm.level.reset();
  auto finding = check_vms(of({vm}));
  CHECK(is(finding, Health::fail));
  CHECK(says(finding.found, ": web"));
}

TEST_CASE("a lock that is not kept is a warning whose remedy depends on the keeper") {
  InventoryEntry vm = running_web();
  vm.kept = false;
  LockInventory seen = of({vm});
  CHECK(is(check_vms(seen), Health::warn));
  CHECK(check_vms(seen).remedy == "start-guard reconcile");
  seen.keeper_runs = false;
  CHECK(is(check_vms(seen), Health::warn));
  CHECK(says(check_vms(seen).remedy, "systemctl enable --now start-guard"));
}

TEST_CASE("exempt VMs are named") {
  LockInventory seen = of({running_web()});
  seen.exempt = {"scratch-1"};
  auto finding = check_vms(seen);
  CHECK(is(finding, Health::ok));
  CHECK(says(finding.found, "exempt, without a lock: scratch-1"));
}

TEST_CASE("a long list of names is cut") {
  auto qemu = FakeHost::run_qemu(web);
  InventoryEntry vm = running_web();
  vm.file = vm.kept = false;
  vm.level.reset();
  auto finding = check_vms(of(std::vector<InventoryEntry>(8, vm)));
  CHECK(says(finding.found, "web, web, web, web, web and 3 more"));
}

TEST_CASE("a lock whose VM has ended is left over") {
  CHECK(is(check_left_over(of({running_web()})), Health::ok));
  InventoryEntry vm = running_web();
  vm.runs = false;
  auto finding = check_left_over(of({vm}));
  CHECK(is(finding, Health::warn));
  CHECK(finding.remedy == "start-guard reconcile");
}

TEST_CASE("a released lock is not left over") {
  InventoryEntry vm = running_web();
  vm.runs = false;
  vm.record->released = true;
  CHECK(is(check_left_over(of({vm})), Health::ok));
}

TEST_CASE("a QEMU that outlived its VM's release is a warning") {
  InventoryEntry vm = running_web();
  vm.runs = false;
  vm.record->released = true;
  auto qemu = FakeHost::run_qemu(web);
  vm.record->qemu = *qemu;
  auto finding = check_left_over(of({vm}));
  CHECK(is(finding, Health::warn));
  CHECK(says(finding.found, "its QEMU is still alive"));
}

TEST_CASE("missing information from the cluster or from libvirt is not ok") {
  LockInventory seen = of({});
  seen.libvirt_trouble = "connecting to qemu:///system: no";
  CHECK(is(check_vms(seen), Health::warn));
  CHECK(is(check_left_over(seen), Health::warn));
  seen.cluster_trouble = "/dlm is not dlmfs";
  CHECK(is(check_vms(seen), Health::fail));
  CHECK(is(check_left_over(seen), Health::fail));
}

TEST_CASE_METHOD(FakeSystemPaths,
                 "the remedy for a libvirt that does not answer names the daemon of this host") {
  struct Host {
    std::vector<const char*> programs, sockets;
    std::string starts;
  };
  auto host =
      GENERATE(Host{{}, {}, "libvirtd"}, Host{{"libvirtd"}, {}, "libvirtd"},
               Host{{"virtqemud", "virtproxyd"}, {}, "virtqemud"},
               Host{{"virtqemud", "virtproxyd"}, {"libvirt-sock"}, "virtqemud"},
               Host{{"libvirtd", "virtqemud"}, {}, "virtqemud"},
               Host{{"libvirtd", "virtqemud"}, {"libvirt-sock"}, "libvirtd"},
               Host{{"libvirtd", "virtqemud"}, {"virtqemud-sock", "libvirt-sock"}, "virtqemud"});
  for (const char* program : host.programs)
    write(paths.daemons / program, "");
  for (const char* socket : host.sockets)
    write(paths.sockets / socket, "");
  LockInventory seen = of({});
  seen.libvirt_trouble = "connecting to qemu:///system: no";
  CHECK(check_vms(seen, paths).remedy == "systemctl start " + host.starts);
  CHECK(check_left_over(seen, paths).remedy == "systemctl start " + host.starts);
}

TEST_CASE("a VM with io_uring disks is named and is a warning if its QEMU has locked no file") {
  TemporaryDirectory proc;
  auto open_files = proc.path() / "4321/fdinfo";
  std::filesystem::create_directories(open_files);
  InventoryEntry vm = running_web();
  vm.record->vm.io_uring_disks = {"/dev/vdb"};
  vm.record->qemu = Process{4321, 1};
  auto finding = check_vms(of({vm}), {.processes = proc.path()});
  CHECK(is(finding, Health::warn));
  CHECK(finding.found.find("can't be seen: web") != std::string::npos);
  std::ofstream(open_files / "7") << "lock:\t" << image_locks;
  finding = check_vms(of({vm}), {.processes = proc.path()});
  CHECK(is(finding, Health::ok));
  CHECK(finding.found.find("io_uring") != std::string::npos);
  CHECK(finding.found.find("in flight: web") != std::string::npos);
}
