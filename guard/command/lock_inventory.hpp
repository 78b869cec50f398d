#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/command/verb_context.hpp"

namespace guard::command {

/// One VM of this host's, as the lock manager, the records, the keeper and libvirt tell of it.
struct InventoryEntry {
  Vm vm;
  std::optional<Record> record = std::nullopt;
  bool file = false;                                 ///< in the domain's directory
  std::optional<dlmfs::Level> level = std::nullopt;  ///< what this host has been granted
  bool level_known = true;                           ///< else there is a file, and no more is told
  bool kept = false;                                 ///< the keeper has it open
  /// Whether a process of this host waits for the file; looked for where the keeper has it not
  /// open.
  dlmfs::OwnRequest own_request = dlmfs::OwnRequest::none;
  std::optional<bool> runs = std::nullopt;  ///< libvirt's word; nothing: it has not answered
};

/// What of a VM is not as it is at rest.
enum class AnomalyKind {
  runs_without_lock,
  detached,          ///< its lock is in a dlmfs that was unmounted lazily
  left_over,         ///< a lock, and no VM that runs
  waited_for,        ///< a file, and a process of this host that waits for another host's lock
  waiter_not_seen,   ///< left over or waited for: the kernel does not tell which
  outlived,          ///< released, but its QEMU lives
  qemu_not_seen,     ///< released, and this host can't tell whether its QEMU is alive
  going_back,        ///< released, and not given back yet
  shared,            ///< a live migration is under way
  not_kept,          ///< the keeper runs, and has not got it
  keeper_down,       ///< not kept, for there is no keeper
  unchecked_driver,  ///< a VM of another driver's, of which libvirt's QEMU driver knows nothing
};

/// For programs: "left-over".
[[nodiscard]] std::string_view word(AnomalyKind kind);

/// In words for an operator. `no_alarm`: it is so for a moment in the ordinary life of a VM.
struct Anomaly {
  AnomalyKind kind;
  std::string text;
  bool no_alarm = false;
};

[[nodiscard]] std::vector<Anomaly> anomalies_of(const InventoryEntry& vm, bool keeper_runs);

struct LockInventory {
  std::vector<InventoryEntry> vms;       ///< sorted by name
  std::vector<std::string> exempt = {};  ///< the names of those that run and need no lock
  bool keeper_runs = false;
  std::string libvirt_trouble = {};  ///< why libvirt has not answered
  std::string cluster_trouble = {};  ///< why the locks can't be seen
};

/// This host's locks, and its VMs that should have one.
[[nodiscard]] LockInventory take_inventory(const VerbContext& context);

/// The VMs libvirt here knows and this host does not hold, sorted by name. None, and libvirt's
/// trouble in `here`: it did not say.
[[nodiscard]] std::vector<Vm> held_by_other_hosts(const VerbContext& context, LockInventory& here);

}  // namespace guard::command
