#include "guard/command/lock_inventory.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "dlmfs/dlm_debugfs.hpp"
#include "guard/lock/last_run.hpp"

namespace guard::command {
namespace {

using dlmfs::Level;
using dlmfs::LockName;
using dlmfs::Uuid;

using Entries = std::map<Uuid, InventoryEntry>;

/// Returns the VM's entry, and adds one if there is none. Makes an entry only in that case: entries
/// are large, and there may be 10,000.
InventoryEntry& entry(Entries& entries, const Uuid& uuid) {
  auto place = entries.lower_bound(uuid);
  if (place == entries.end() || place->first != uuid) {
    place = entries.emplace_hint(place, uuid, InventoryEntry{Vm{uuid.text(), uuid}});
  }
  return place->second;
}

void see_files(const Context& base, LockInventory& seen, Entries& entries) {
  auto mount = base.cluster.open_any_mount();
  if (!mount) {
    seen.cluster_trouble = mount.error().what;
    return;
  }
  auto names = (*mount)->list(base.cluster.domains().locks);
  if (!names) {
    if (names.error().code != ENOENT) seen.cluster_trouble = names.error().what;
    return;  // not joined: no VM was started yet
  }
  for (const LockName& name : *names)
    entry(entries, name.uuid()).file = true;
}

void see_kept(const VerbContext& context, LockInventory& seen, Entries& entries) {
  auto kept = context.keeper.kept();
  seen.keeper_runs = kept.has_value();
  if (!kept) return;
  for (auto& each : *kept) {
    InventoryEntry& vm = entry(entries, each.vm.uuid);
    vm.kept = true;
    vm.level = each.level;
    if (each.since != std::chrono::sys_seconds())
      vm.record = Record{each.vm, each.since, each.origin};
    vm.vm = std::move(each.vm);
  }
}

/// For a VM that the keeper keeps and that runs, the keeper has already reported the content of the
/// record. The same is true for a kept VM of another driver. For all other VMs the record may add
/// that the VM was released.
void see_records(const Context& base, Entries& entries) {
  auto uuids = base.host.records().list();
  if (!uuids) return;
  for (const Uuid& uuid : *uuids) {
    InventoryEntry& vm = entry(entries, uuid);
    bool told = vm.kept && vm.record && (vm.vm.driver != "qemu" || vm.runs.value_or(false));
    if (told) continue;
    Vm known = vm.vm;
    // If the record cannot be read, the VM may be one that only another driver of libvirt knows.
    if (!vm.kept && !vm.runs.value_or(false)) known.driver = unknown_driver;
    auto record = base.host.load_record(known);
    if (!record) continue;  // removed meanwhile
    vm.vm = record->vm;
    vm.record = std::move(record);
  }
}

/// Asks the lock manager about the files that the keeper does not have open. Does not ask if there
/// are none, since the lock manager's table is long.
void see_levels(const Context& base, Entries& entries) {
  auto unknown = [](const auto& entry) { return entry.second.file && !entry.second.kept; };
  if (std::none_of(entries.begin(), entries.end(), unknown)) return;
  auto granted = dlmfs::granted_levels(base.cluster.paths, base.cluster.domains().locks);
  auto requests = dlmfs::own_requests(base.cluster.paths, base.cluster.domains().locks);
  for (auto& [uuid, vm] : entries) {
    if (!vm.file || vm.kept) continue;
    vm.own_request = !requests                            ? dlmfs::OwnRequest::unknown
                     : requests->contains(LockName(uuid)) ? dlmfs::OwnRequest::pending
                                                          : dlmfs::OwnRequest::none;
    vm.level_known = granted.has_value();
    if (!granted) continue;
    auto found = granted->find(LockName(uuid));
    if (found != granted->end()) vm.level = found->second;
  }
}

void see_running(const VerbContext& context, LockInventory& seen, Entries& entries) {
  auto active = context.libvirt.active();
  if (!active) {
    seen.libvirt_trouble = active.error().what;
    return;
  }
  for (const Vm& running : *active) {
    if (context.base.settings.exempts(running.name, running.uuid.text()) &&
        !entries.contains(running.uuid)) {
      seen.exempt.push_back(running.name);
      continue;
    }
    InventoryEntry& vm = entry(entries, running.uuid);
    vm.vm.name = running.name;
    vm.runs = true;
  }
}

bool held(const InventoryEntry& vm) {
  return vm.file && (vm.level || !vm.level_known);
}

/// Removes the VMs that have ended since their files were listed.
void forget_ended(const Context& base, Entries& entries) {
  auto mount = base.cluster.open_any_mount();
  if (!mount) return;
  std::erase_if(entries, [&](const auto& entry) {
    const InventoryEntry& vm = entry.second;
    if (!vm.file || vm.runs != false || vm.vm.driver != "qemu") return false;
    auto there = (*mount)->exists(base.cluster.domains().locks, LockName(vm.vm.uuid));
    return there && !*there && !base.host.records().stamp(vm.vm.uuid);
  });
}

/// Sorts the entries by name, and those with the same name by UUID. Moves each entry once.
std::vector<InventoryEntry> by_name(Entries& entries) {
  std::vector<InventoryEntry*> order;
  for (auto& [uuid, vm] : entries)
    order.push_back(&vm);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->vm.name < b->vm.name; });
  std::vector<InventoryEntry> sorted;
  sorted.reserve(order.size());
  for (InventoryEntry* vm : order)
    sorted.push_back(std::move(*vm));
  return sorted;
}

}  // namespace

const AnomalyInfo& info(AnomalyKind kind) {
  return all_anomalies.at(static_cast<std::size_t>(kind));
}

namespace {

Anomaly anomaly(AnomalyKind kind, const std::string& detail = "") {
  return {kind, fmt::format(fmt::runtime(info(kind).text), detail)};
}

Anomaly anomaly_of_released(const QemuSeen& qemu) {
  switch (qemu.liveness) {
    case Liveness::alive:
      return anomaly(AnomalyKind::outlived, std::to_string(qemu.process->pid));
    case Liveness::unknown:
      return anomaly(AnomalyKind::qemu_not_seen, qemu.why);
    case Liveness::dead:
      break;
  }
  return anomaly(AnomalyKind::being_unlocked);
}

}  // namespace

std::vector<Anomaly> anomalies_of(const InventoryEntry& vm, bool keeper_runs) {
  std::vector<Anomaly> anomalies;
  bool qemus = vm.vm.driver == "qemu";
  bool released = vm.record && vm.record->released;
  // A file that the keeper has open cannot be unlinked: only `umount -l` hides it.
  bool detached = vm.kept && !vm.file;
  if (detached) {
    anomalies.push_back(anomaly(AnomalyKind::detached));
  }
  // libvirt reports that a VM runs before its start has acquired the lock, and still after its end
  // has unlocked it.
  if (!detached && vm.runs.value_or(false) && !held(vm) && qemus && !released &&
      living_qemu(vm.vm, vm.record).liveness != Liveness::dead) {
    anomalies.push_back(anomaly(AnomalyKind::runs_without_lock));
  }
  if (vm.own_request == dlmfs::OwnRequest::pending) {
    anomalies.push_back(anomaly(AnomalyKind::waited_for));
  }
  if (released) {
    anomalies.push_back(anomaly_of_released(living_qemu(vm.vm, vm.record)));
  } else if (qemus && vm.runs && !*vm.runs && vm.own_request != dlmfs::OwnRequest::pending) {
    if (vm.record || vm.own_request == dlmfs::OwnRequest::none) {
      anomalies.push_back(anomaly(AnomalyKind::left_over));
    } else {
      anomalies.push_back(anomaly(AnomalyKind::waiter_not_seen));
    }
  }
  if (vm.level == Level::protected_read && !released) {
    anomalies.push_back(anomaly(AnomalyKind::shared));
  }
  if (held(vm) && !vm.kept) {
    anomalies.push_back(anomaly(keeper_runs ? AnomalyKind::not_kept : AnomalyKind::keeper_down));
  }
  if (vm.vm.driver == unknown_driver) {
    anomalies.push_back(anomaly(AnomalyKind::record_unreadable));
  } else if (!qemus) {
    anomalies.push_back(anomaly(AnomalyKind::unchecked_driver, vm.vm.driver));
  }
  return anomalies;
}

LockInventory take_inventory(const VerbContext& context) {
  LockInventory seen;
  Entries entries;
  see_files(context.base, seen, entries);
  see_kept(context, seen, entries);
  see_running(context, seen, entries);
  see_records(context.base, entries);
  see_levels(context.base, entries);
  if (seen.libvirt_trouble.empty()) {
    for (auto& [uuid, vm] : entries)
      vm.runs = vm.runs.value_or(false);
    forget_ended(context.base, entries);
  }
  seen.vms = by_name(entries);
  return seen;
}

std::vector<Vm> held_by_other_hosts(const VerbContext& context, LockInventory& here) {
  auto defined = context.libvirt.defined();
  if (!defined) {
    here.libvirt_trouble = defined.error().what;
    return {};
  }
  std::set<Uuid> held;
  for (const InventoryEntry& vm : here.vms) {
    if (vm.file) held.insert(vm.vm.uuid);
  }
  std::vector<Vm> others;
  for (const Vm& vm : *defined) {
    if (!held.contains(vm.uuid)) others.push_back(vm);
  }
  std::sort(others.begin(), others.end(), [](const Vm& a, const Vm& b) { return a.name < b.name; });
  return others;
}

}  // namespace guard::command
