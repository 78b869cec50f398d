#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/host/disk_io.hpp"
#include "guard/host/qemu_process.hpp"
#include "guard/host/vm.hpp"
#include "guard/state/state_directory.hpp"

namespace guard {

/// How this host acquired a VM's lock.
enum class Origin {
  start,      ///< at the start of the VM on this host
  hand_over,  ///< by a hand-over: the VM was migrated to this host
  adopted,    ///< later: the VM was found running on this host without its lock
};

/// A record: this host acquired a VM's lock. This host unlocks only a lock that has a record,
/// because libvirt calls `release` also after a denied start.
struct Record {
  Vm vm;
  std::chrono::sys_seconds since;
  Origin origin = Origin::start;
  std::optional<Process> qemu = std::nullopt;  ///< set from `started` on
  /// The files that QEMU had locked when it started, if the VM uses io_uring. Empty: unknown.
  FileIds images = {};
  bool released = false;  ///< libvirt has released the VM, so the lock must be unlocked
  /// A live migration is in progress: this host holds PR, and another host may hold PR too. False
  /// again once this host holds EX.
  bool shared = false;
  /// The DLM domain of the lock. Empty: the domain in the configuration, because an older version
  /// wrote the record.
  std::string domain = {};
  /// When the outgoing migration began that was granted a hand-over, by this host's clock.
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> handed_over = std::nullopt;
};

[[nodiscard]] std::string_view word(Origin origin);
[[nodiscard]] std::optional<Origin> origin_from(std::string_view text);

[[nodiscard]] std::string to_text(const Record& record);
[[nodiscard]] Result<Record> record_from_text(const std::string& text);

/// The records of this host. Each is a TOML file named after the VM's UUID.
class Records {
 public:
  explicit Records(const StateDirectory& directory) : directory_(directory) {}

  /// Returns the record, or nullopt if there is none. EBADMSG: the record has the wrong form.
  [[nodiscard]] Result<std::optional<Record>> find(const dlmfs::Uuid& uuid) const;
  /// Finds a record by the VM's name, because in some calls libvirt passes no UUID. Reads every
  /// record and skips those that cannot be read.
  [[nodiscard]] std::optional<Record> find_by_name(const std::string& driver,
                                                   const std::string& name) const;
  /// Returns the UUIDs of all VMs that have a record.
  [[nodiscard]] Result<std::vector<dlmfs::Uuid>> list() const;
  /// Returns the stamp of the record's file, or nullopt if there is no record.
  [[nodiscard]] std::optional<StateDirectory::Stamp> stamp(const dlmfs::Uuid& uuid) const {
    return directory_.stamp(uuid.text());
  }
  [[nodiscard]] Result<void> write(const Record& record) const;
  [[nodiscard]] Result<void> remove(const dlmfs::Uuid& uuid) const;

 private:
  const StateDirectory& directory_;
};

}  // namespace guard
