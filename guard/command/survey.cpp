#include "guard/command/survey.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "dlmfs/queue.hpp"

namespace guard::command {
namespace {

using dlmfs::Level;
using dlmfs::LockName;
using dlmfs::Uuid;

using ByUuid = std::map<Uuid, Surveyed>;

Surveyed& entry(ByUuid& vms, const Uuid& uuid) {
  return vms.try_emplace(uuid, Surveyed{Vm{uuid.text(), uuid}}).first->second;
}

void see_records(const World& world, ByUuid& vms) {
  auto uuids = world.records().list();
  if (!uuids) return;
  for (const Uuid& uuid : *uuids) {
    auto record = world.recall(Vm{uuid.text(), uuid});
    if (!record) continue;  // gone meanwhile
    Surveyed& vm = entry(vms, uuid);
    vm.vm = record->vm;
    vm.record = std::move(record);
  }
}

void see_files(const World& world, Survey& seen, ByUuid& vms) {
  auto mount = world.reach_mount();
  if (!mount) {
    seen.cluster_trouble = mount.error().what;
    return;
  }
  auto names = (*mount)->list(world.domains().locks);
  if (!names) {
    if (names.error().code != ENOENT) seen.cluster_trouble = names.error().what;
    return;  // not joined: nothing was started yet
  }
  for (const LockName& name : *names)
    entry(vms, name.uuid()).file = true;
}

/// What the keeper has open it knows; only for the rest the lock manager is asked, whose table is
/// long.
void see_levels(const World& world, Survey& seen, ByUuid& vms) {
  auto kept = world.keeper->kept();
  seen.keeper_runs = kept.has_value();
  bool all_kept = true;
  for (auto& [uuid, vm] : vms) {
    auto found = kept ? kept->find(uuid) : KeeperLine::Kept::iterator();
    vm.kept = kept && found != kept->end();
    if (vm.kept) vm.level = found->second;
    if (vm.file && !vm.kept) all_kept = false;
  }
  if (all_kept) return;
  auto granted = dlmfs::granted_levels(world.cluster_paths, world.domains().locks);
  for (auto& [uuid, vm] : vms) {
    if (!vm.file || vm.kept) continue;
    vm.level_known = granted.has_value();
    if (!granted) continue;
    auto found = granted->find(LockName(uuid));
    if (found != granted->end()) vm.level = found->second;
  }
}

void see_running(const Desk& desk, Survey& seen, ByUuid& vms) {
  auto active = desk.libvirt.active();
  if (!active) {
    seen.libvirt_trouble = active.error().what;
    return;
  }
  for (auto& [uuid, vm] : vms)
    vm.runs = false;
  for (const Vm& running : *active) {
    if (desk.world.settings.exempts(running.name) && !vms.contains(running.uuid)) {
      seen.exempt.push_back(running.name);
      continue;
    }
    Surveyed& vm = entry(vms, running.uuid);
    vm.vm.name = running.name;
    vm.runs = true;
  }
}

bool held(const Surveyed& vm) {
  return vm.file && (vm.level || !vm.level_known);
}

}  // namespace

std::string_view word(Oddity oddity) {
  switch (oddity) {
    case Oddity::runs_without_lock:
      return "runs-without-lock";
    case Oddity::left_over:
      return "left-over";
    case Oddity::outlived:
      return "outlived";
    case Oddity::going_back:
      return "going-back";
    case Oddity::shared:
      return "shared";
    case Oddity::not_kept:
      return "not-kept";
    case Oddity::keeper_down:
      return "keeper-down";
    case Oddity::unchecked_driver:
      return "unchecked-driver";
  }
  return "";
}

std::vector<Remark> remarks_on(const Surveyed& vm, bool keeper_runs) {
  std::vector<Remark> remarks;
  bool qemus = vm.vm.driver == "qemu";
  bool released = vm.record && vm.record->released;
  if (vm.runs.value_or(false) && !held(vm) && qemus && !released) {
    remarks.push_back({Oddity::runs_without_lock, "runs here without its lock"});
  }
  if (released) {
    auto qemu = living_qemu(vm.vm, vm.record);
    if (qemu) {
      remarks.push_back(
          {Oddity::outlived, fmt::format("its QEMU, process {}, outlives its end: the "
                                         "lock goes back when that dies",
                                         qemu->pid)});
    } else {
      remarks.push_back({Oddity::going_back, "on its way back", true});
    }
  } else if (qemus && vm.runs && !*vm.runs) {
    remarks.push_back({Oddity::left_over, "lock left over: no such VM runs here"});
  }
  if (vm.level == Level::protected_read && !released) {
    remarks.push_back({Oddity::shared, "shared with another host: migration under way", true});
  }
  if (held(vm) && !vm.kept) {
    remarks.push_back(keeper_runs
                          ? Remark{Oddity::not_kept, "not kept: start-guard.service has not got it"}
                          : Remark{Oddity::keeper_down, "not kept: start-guard.service is down"});
  }
  if (!qemus) {
    remarks.push_back({Oddity::unchecked_driver,
                       fmt::format("driver {}: not compared with what runs", vm.vm.driver), true});
  }
  return remarks;
}

Survey survey(const Desk& desk) {
  Survey seen;
  ByUuid vms;
  see_files(desk.world, seen, vms);
  see_records(desk.world, vms);
  see_levels(desk.world, seen, vms);
  see_running(desk, seen, vms);
  seen.vms.reserve(vms.size());
  for (auto& [uuid, vm] : vms)
    seen.vms.push_back(std::move(vm));
  std::stable_sort(seen.vms.begin(), seen.vms.end(),
                   [](const Surveyed& a, const Surveyed& b) { return a.vm.name < b.vm.name; });
  return seen;
}

std::vector<Vm> held_elsewhere(const Desk& desk, Survey& here) {
  auto defined = desk.libvirt.defined();
  if (!defined) {
    here.libvirt_trouble = defined.error().what;
    return {};
  }
  std::set<Uuid> held;
  for (const Surveyed& vm : here.vms) {
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
