#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/command/verb_context.hpp"

namespace guard::command {

/// A VM of this host, as reported by the lock manager, the records, the keeper and libvirt.
struct InventoryEntry {
  Vm vm;
  std::optional<Record> record = std::nullopt;
  bool file = false;                                 ///< its file is in the domain
  std::optional<dlmfs::Level> level = std::nullopt;  ///< the level granted to this host
  bool level_known = true;                           ///< false: the level is unknown
  bool kept = false;                                 ///< the keeper has the lock open
  /// Whether a process of this host waits for the file. Only queried if the keeper does not have it
  /// open.
  dlmfs::OwnRequest own_request = dlmfs::OwnRequest::none;
  std::optional<bool> runs = std::nullopt;  ///< as libvirt reports; nullopt: it did not answer
};

/// How the state of a VM and its lock differs from the normal state of a VM that runs.
enum class AnomalyKind {
  runs_without_lock,
  detached,           ///< its lock is in a dlmfs that was unmounted with `umount -l`
  left_over,          ///< this host has a lock for a VM that does not run here
  waited_for,         ///< a process of this host waits for a lock that another host holds
  waiter_not_seen,    ///< `left_over` or `waited_for`: the kernel does not show which
  outlived,           ///< released, but its QEMU is alive
  qemu_not_seen,      ///< released, but this host cannot tell whether its QEMU is alive
  being_unlocked,     ///< released, but not unlocked yet
  shared,             ///< a live migration is under way
  not_kept,           ///< the keeper runs, but does not have the lock open
  keeper_down,        ///< not kept, because no keeper runs
  record_unreadable,  ///< so its driver is unknown, and the service does not unlock it
  unchecked_driver,   ///< a VM of another driver, which libvirt's QEMU driver does not know
};

/// What start-guard(8) documents of a kind; a unit test compares the two.
struct AnomalyInfo {
  AnomalyKind kind;
  std::string_view word;  ///< for programs, in `list --json`
  std::string_view text;  ///< for operators; "{}" is the process, the reason or the driver
  bool alarm = true;      ///< false: it occurs in normal operation and needs no action
};

/// In the order of AnomalyKind.
inline constexpr std::array all_anomalies = {
    AnomalyInfo{AnomalyKind::runs_without_lock, "runs-without-lock", "runs here without its lock"},
    AnomalyInfo{AnomalyKind::detached, "detached",
                "its lock is in a dlmfs that is no longer mounted"},
    AnomalyInfo{AnomalyKind::left_over, "left-over", "lock left over: no such VM runs here"},
    AnomalyInfo{AnomalyKind::waited_for, "waited-for",
                "a process here waits for its file: do not remove it"},
    AnomalyInfo{AnomalyKind::waiter_not_seen, "waiter-not-seen",
                "lock left over, or a process here waits for it: no debugfs tells"},
    AnomalyInfo{AnomalyKind::outlived, "outlived",
                "its QEMU, process {}, is still alive: unlocked when it ends"},
    AnomalyInfo{AnomalyKind::qemu_not_seen, "qemu-not-seen",
                "ended, and this host can't tell whether its QEMU is alive: {}"},
    AnomalyInfo{AnomalyKind::being_unlocked, "being-unlocked", "being unlocked", false},
    AnomalyInfo{AnomalyKind::shared, "shared", "shared with another host: migration under way",
                false},
    AnomalyInfo{AnomalyKind::not_kept, "not-kept",
                "not kept: start-guard.service does not have it open"},
    AnomalyInfo{AnomalyKind::keeper_down, "keeper-down", "not kept: start-guard.service is down"},
    AnomalyInfo{AnomalyKind::record_unreadable, "record-unreadable",
                "its record can't be read: not compared with what runs"},
    AnomalyInfo{AnomalyKind::unchecked_driver, "unchecked-driver",
                "driver {}: not compared with what runs", false},
};

[[nodiscard]] const AnomalyInfo& info(AnomalyKind kind);

/// An anomaly of one VM.
struct Anomaly {
  AnomalyKind kind;
  std::string text;

  [[nodiscard]] bool alarm() const { return info(kind).alarm; }
};

[[nodiscard]] std::vector<Anomaly> anomalies_of(const InventoryEntry& vm, bool keeper_runs);

struct LockInventory {
  std::vector<InventoryEntry> vms;       ///< sorted by name
  std::vector<std::string> exempt = {};  ///< names of the VMs that run and need no lock
  bool keeper_runs = false;
  std::string libvirt_trouble = {};  ///< why libvirt did not answer
  std::string cluster_trouble = {};  ///< why the locks cannot be seen
};

/// Returns this host's locks, and its VMs that should have one. May sleep in dlmfs.
[[nodiscard]] LockInventory take_inventory(const VerbContext& context);

/// Returns the VMs that libvirt on this host knows and whose lock this host does not hold, sorted
/// by name. If libvirt does not answer, returns none and sets `here.libvirt_trouble`.
[[nodiscard]] std::vector<Vm> held_by_other_hosts(const VerbContext& context, LockInventory& here);

}  // namespace guard::command
