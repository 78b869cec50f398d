#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/host/qemu_process.hpp"
#include "guard/host/state_directory.hpp"
#include "guard/host/vm.hpp"

namespace guard {

/// How a host came by a VM's lock.
enum class Origin {
  start,      ///< the VM was started here
  hand_over,  ///< the VM was migrated to here
  adopted,    ///< the VM was found running here without its lock
};

/// Open files as /proc/locks names them: MAJOR:MINOR:INODE.
using FileIds = std::vector<std::string>;

/// What a host remembers of a lock it holds: that it took it, and for whom. A lock is given back
/// only on the word of a record: after a denied start libvirt calls `release` as well.
struct Record {
  Vm vm;
  std::chrono::sys_seconds since;
  Origin origin = Origin::start;
  std::optional<Process> qemu = std::nullopt;  ///< known from `started` on
  /// The files its QEMU had locked when it started, if it uses io_uring; empty: not known.
  FileIds images = {};
  bool released = false;  ///< libvirt is done with the VM; the lock is to go back
  /// For a live migration another host may hold PR beside this host's PR; until this is EX again.
  bool shared = false;
  /// The DLM domain of its lock; empty: the one of the configuration, as before this was written
  /// down.
  std::string domain = {};
  /// The migration from here that was granted a hand-over: when it began, by this host's clock.
  std::optional<std::chrono::sys_time<std::chrono::milliseconds>> handed_over = std::nullopt;
};

[[nodiscard]] std::string_view word(Origin origin);
[[nodiscard]] std::optional<Origin> origin_from(std::string_view text);

[[nodiscard]] std::string to_toml(const Record& record);
[[nodiscard]] Result<Record> record_from_toml(const std::string& text);

/// The records of this host, one TOML file a VM, named after its UUID.
class Records {
 public:
  explicit Records(const StateDirectory& directory) : directory_(directory) {}

  /// Nothing if there is no record. EBADMSG: there is one, but it can't be read.
  [[nodiscard]] Result<std::optional<Record>> find(const dlmfs::Uuid& uuid) const;
  /// For the calls in which libvirt tells no more than a name. Reads every record.
  [[nodiscard]] std::optional<Record> find_by_name(const std::string& driver,
                                                   const std::string& name) const;
  /// The VMs there are records of.
  [[nodiscard]] Result<std::vector<dlmfs::Uuid>> list() const;
  /// Which writing of the record this is; nothing if there is none.
  [[nodiscard]] std::optional<StateDirectory::Stamp> stamp(const dlmfs::Uuid& uuid) const {
    return directory_.stamp(uuid.text());
  }
  [[nodiscard]] Result<void> write(const Record& record) const;
  [[nodiscard]] Result<void> remove(const dlmfs::Uuid& uuid) const;

 private:
  const StateDirectory& directory_;
};

}  // namespace guard
