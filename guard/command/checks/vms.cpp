#include "guard/command/checks/vms.hpp"

#include <algorithm>

#include "guard/host/disk_io.hpp"

namespace guard::command {
namespace {

using AnomalyKinds = std::vector<AnomalyKind>;

/// Names of VMs. `text` shows the first few, and how many more there are.
struct Odd {
  std::vector<std::string> names;

  [[nodiscard]] bool empty() const { return names.empty(); }
  [[nodiscard]] std::string text() const {
    constexpr std::size_t shown = 5;
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), shown); ++i)
      text += (i == 0 ? "" : ", ") + names[i];
    return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
  }
};

/// Returns the VMs that run (`running`), or do not run, and have one of these anomalies.
Odd vms_with(const LockInventory& seen, bool running, const AnomalyKinds& kinds) {
  Odd odd;
  for (const InventoryEntry& vm : seen.vms) {
    if (vm.runs.value_or(false) != running) continue;
    auto anomalies = anomalies_of(vm, seen.keeper_runs);
    bool so = std::any_of(anomalies.begin(), anomalies.end(), [&](const Anomaly& anomaly) {
      return std::find(kinds.begin(), kinds.end(), anomaly.kind) != kinds.end();
    });
    if (so) odd.names.push_back(display_name(vm.vm.name));
  }
  return odd;
}

/// Returns why the check cannot give a result, or nullopt if it can.
std::optional<Finding> not_known(const std::string& check, const LockInventory& seen) {
  if (!seen.cluster_trouble.empty()) {
    return Finding{check, Health::fail, "not known: " + seen.cluster_trouble,
                   "fix the mount first"};
  }
  if (!seen.libvirt_trouble.empty()) {
    return Finding{check, Health::warn, "not known which VMs run: " + seen.libvirt_trouble,
                   "systemctl start libvirtd"};
  }
  return std::nullopt;
}

std::string and_exempt(const LockInventory& seen) {
  Odd exempt;
  for (const std::string& name : seen.exempt)
    exempt.names.push_back(display_name(name));
  std::string text = exempt.text();
  return text.empty() ? "" : "; exempt, without a lock: " + text;
}

/// Returns the VMs that run and use io_uring. `unseen`: only those whose QEMU holds no lock on any
/// file. I/O that outlives such a QEMU cannot be seen.
Odd io_uring_in(const LockInventory& seen, const std::filesystem::path& proc, bool unseen) {
  Odd odd;
  for (const InventoryEntry& vm : seen.vms) {
    if (!vm.runs.value_or(false) || !vm.record) continue;
    const auto& disks = vm.record->vm.io_uring_disks;
    if (!disks || disks->empty()) continue;
    const auto& qemu = vm.record->qemu;
    if (unseen && (!qemu || !locked_files(qemu->pid, proc).empty())) continue;
    odd.names.push_back(display_name(vm.vm.name));
  }
  return odd;
}

std::string and_io_uring(const LockInventory& seen, const std::filesystem::path& proc) {
  std::string text = io_uring_in(seen, proc, false).text();
  if (text.empty()) return "";
  return "; with io_uring, locked until no I/O of an ended QEMU is in flight: " + text;
}

}  // namespace

Finding check_vms(const LockInventory& seen, const std::filesystem::path& proc) {
  if (auto finding = not_known("vms", seen)) return *finding;
  if (auto bare = vms_with(seen, true, {AnomalyKind::runs_without_lock}); !bare.empty()) {
    return {"vms", Health::fail,
            fmt::format("without a lock, so that another host can start it: {}", bare.text()),
            "start-guard reconcile (where that does not do it: start-guard holder VM)"};
  }
  if (auto detached = vms_with(seen, true, {AnomalyKind::detached}); !detached.empty()) {
    return {"vms", Health::fail,
            fmt::format("locked in a dlmfs that is no longer mounted: {}", detached.text()),
            "leave start-guard.service running, shut these VMs down, then start them again"};
  }
  if (auto loose = vms_with(seen, true, {AnomalyKind::not_kept, AnomalyKind::keeper_down});
      !loose.empty()) {
    return {"vms", Health::warn,
            fmt::format("locked, but not kept open by start-guard.service: {}", loose.text()),
            seen.keeper_runs ? "start-guard reconcile" : "systemctl enable --now start-guard"};
  }
  if (auto unseen = io_uring_in(seen, proc, true); !unseen.empty()) {
    return {"vms", Health::warn,
            fmt::format("io_uring on images that QEMU has not locked, so that I/O left in flight "
                        "can't be seen: {}",
                        unseen.text()),
            "set <driver io='native'/> or 'threads' for its disks"};
  }
  auto running = std::count_if(seen.vms.begin(), seen.vms.end(),
                               [](const InventoryEntry& vm) { return vm.runs.value_or(false); });
  std::string found = running == 0   ? "no VM that needs a lock runs here"
                      : running == 1 ? "1 runs here, with its lock"
                                     : fmt::format("{} run here, each with its lock", running);
  return {"vms", Health::ok, found + and_exempt(seen) + and_io_uring(seen, proc)};
}

Finding check_left_over(const LockInventory& seen) {
  if (auto finding = not_known("left-over", seen)) return *finding;
  if (auto outlived = vms_with(seen, false, {AnomalyKind::outlived}); !outlived.empty()) {
    return {
        "left-over", Health::warn,
        fmt::format("ended, but its QEMU is still alive and keeps the lock: {}", outlived.text()),
        "start-guard list (shows which process; unlocked when it has ended)"};
  }
  if (auto hidden = vms_with(seen, false, {AnomalyKind::qemu_not_seen}); !hidden.empty()) {
    return {
        "left-over", Health::warn,
        fmt::format("ended, and this host can't tell whether its QEMU is alive: {}", hidden.text()),
        "start-guard list (shows why)"};
  }
  Odd waited_for = vms_with(seen, false, {AnomalyKind::waited_for});
  if (waited_for.empty()) waited_for = vms_with(seen, true, {AnomalyKind::waited_for});
  if (!waited_for.empty()) {
    return {"left-over", Health::warn,
            fmt::format("a process here waits for the file in /dlm of: {}", waited_for.text()),
            "grep -l user_dlm_cluster_lock /proc/[0-9]*/stack (never remove the file: that would "
            "hang this host)"};
  }
  if (auto hidden = vms_with(seen, false, {AnomalyKind::waiter_not_seen}); !hidden.empty()) {
    return {"left-over", Health::warn,
            fmt::format("locked, or a process here waits for the file of: {}", hidden.text()),
            "mount -t debugfs debugfs /sys/kernel/debug"};
  }
  if (auto left = vms_with(seen, false, {AnomalyKind::left_over}); !left.empty()) {
    return {"left-over", Health::warn, fmt::format("locked, and does not run: {}", left.text()),
            "start-guard reconcile"};
  }
  return {"left-over", Health::ok, "no lock without its VM"};
}

}  // namespace guard::command
