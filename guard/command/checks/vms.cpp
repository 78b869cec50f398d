#include <algorithm>
#include <span>

#include "guard/command/checks/all.hpp"
#include "guard/host/disk_io.hpp"

namespace guard::command {
namespace {

using Names = std::vector<std::string>;

/// Returns the first few names, and how many more there are.
std::string text_of(const Names& names) {
  constexpr std::ptrdiff_t shown = 5;
  auto more = std::ssize(names) - shown;
  if (more <= 0) return fmt::format("{}", fmt::join(names, ", "));
  return fmt::format("{} and {} more", fmt::join(names.begin(), names.begin() + shown, ", "), more);
}

/// A finding about the VMs that have an anomaly.
struct Rule {
  AnomalyKind kind;
  std::optional<bool> runs;  ///< only the VMs that run, or only those that do not
  Health health;
  std::string_view found;  ///< the names of these VMs follow
  std::string_view remedy;
};

constexpr Rule about_running[] = {
    {AnomalyKind::runs_without_lock, true, Health::fail,
     "without a lock, so that another host can start it",
     "start-guard reconcile (where that does not do it: start-guard holder VM)"},
    {AnomalyKind::detached, true, Health::fail, "locked in a dlmfs that is no longer mounted",
     "leave start-guard.service running, shut these VMs down, then start them again"},
    {AnomalyKind::not_kept, true, Health::warn, "locked, but not kept open by start-guard.service",
     "start-guard reconcile"},
    {AnomalyKind::keeper_down, true, Health::warn,
     "locked, but not kept open by start-guard.service", "systemctl enable --now start-guard"},
};

constexpr Rule about_ended[] = {
    {AnomalyKind::outlived, false, Health::warn,
     "ended, but its QEMU is still alive and keeps the lock",
     "start-guard list (shows which process; unlocked when it has ended)"},
    {AnomalyKind::qemu_not_seen, false, Health::warn,
     "ended, and this host can't tell whether its QEMU is alive", "start-guard list (shows why)"},
    {AnomalyKind::waited_for, std::nullopt, Health::warn,
     "a process here waits for the file in /dlm of",
     "grep -l user_dlm_cluster_lock /proc/[0-9]*/stack (never remove the file: that would hang "
     "this "
     "host)"},
    {AnomalyKind::waiter_not_seen, false, Health::warn,
     "locked, or a process here waits for the file of",
     "mount -t debugfs debugfs /sys/kernel/debug"},
    {AnomalyKind::record_unreadable, false, Health::warn,
     "locked, with a record that can't be read, so the service does not unlock",
     "start-guard release UUID (if the VM does not run)"},
    {AnomalyKind::left_over, false, Health::warn, "locked, and does not run",
     "start-guard reconcile"},
};

Names vms_with(const LockInventory& seen, const Rule& rule) {
  Names names;
  for (const InventoryEntry& vm : seen.vms) {
    if (rule.runs && vm.runs.value_or(false) != rule.runs) continue;
    auto anomalies = anomalies_of(vm, seen.keeper_runs);
    bool so = std::any_of(anomalies.begin(), anomalies.end(),
                          [&](const Anomaly& anomaly) { return anomaly.kind == rule.kind; });
    if (so) names.push_back(display_name(vm.vm.name));
  }
  return names;
}

/// Returns the finding of the first rule that finds a VM, or nullopt. If it is unknown which VMs
/// are locked or run, returns that.
std::optional<Finding> first_finding(const std::string& check, const LockInventory& seen,
                                     const SystemPaths& paths, std::span<const Rule> rules) {
  if (!seen.cluster_trouble.empty()) {
    return Finding{check, Health::fail, "not known: " + seen.cluster_trouble,
                   "fix the mount first"};
  }
  if (!seen.libvirt_trouble.empty()) {
    return Finding{check, Health::warn, "not known which VMs run: " + seen.libvirt_trouble,
                   command_to_start_daemon(paths)};
  }
  for (const Rule& rule : rules) {
    auto vms = vms_with(seen, rule);
    if (vms.empty()) continue;
    return Finding{check, rule.health, fmt::format("{}: {}", rule.found, text_of(vms)),
                   std::string(rule.remedy)};
  }
  return std::nullopt;
}

std::string and_exempt(const LockInventory& seen) {
  Names exempt;
  for (const std::string& name : seen.exempt)
    exempt.push_back(display_name(name));
  return exempt.empty() ? "" : "; exempt, without a lock: " + text_of(exempt);
}

/// Returns the VMs that run and use io_uring. `unseen`: only those whose QEMU holds no lock on any
/// file. I/O that outlives such a QEMU cannot be seen.
Names io_uring_in(const LockInventory& seen, const std::filesystem::path& proc, bool unseen) {
  Names names;
  for (const InventoryEntry& vm : seen.vms) {
    if (!vm.runs.value_or(false) || !vm.record) continue;
    const auto& disks = vm.record->vm.io_uring_disks;
    if (!disks || disks->empty()) continue;
    const auto& qemu = vm.record->qemu;
    if (unseen && (!qemu || !locked_files(qemu->pid, proc).empty())) continue;
    names.push_back(display_name(vm.vm.name));
  }
  return names;
}

std::string and_io_uring(const LockInventory& seen, const std::filesystem::path& proc) {
  auto vms = io_uring_in(seen, proc, false);
  if (vms.empty()) return "";
  return "; with io_uring, locked until no I/O of an ended QEMU is in flight: " + text_of(vms);
}

}  // namespace

Finding check_vms(const LockInventory& seen, const SystemPaths& paths) {
  if (auto finding = first_finding("vms", seen, paths, about_running)) return *finding;
  if (auto unseen = io_uring_in(seen, paths.processes, true); !unseen.empty()) {
    return {"vms", Health::warn,
            "io_uring on images that QEMU has not locked, so that I/O left in flight can't be "
            "seen: " +
                text_of(unseen),
            "set <driver io='native'/> or 'threads' for its disks"};
  }
  auto running = std::count_if(seen.vms.begin(), seen.vms.end(),
                               [](const InventoryEntry& vm) { return vm.runs.value_or(false); });
  std::string found = running == 0   ? "no VM that needs a lock runs here"
                      : running == 1 ? "1 runs here, with its lock"
                                     : fmt::format("{} run here, each with its lock", running);
  return {"vms", Health::ok, found + and_exempt(seen) + and_io_uring(seen, paths.processes)};
}

Finding check_left_over(const LockInventory& seen, const SystemPaths& paths) {
  auto finding = first_finding("left-over", seen, paths, about_ended);
  return finding ? *finding : Finding{"left-over", Health::ok, "no lock without its VM"};
}

}  // namespace guard::command
