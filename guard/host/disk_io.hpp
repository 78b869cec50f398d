#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

#include "guard/lock/world.hpp"

namespace guard {

/// I/O that processes of this host submitted before they ended.
struct OrphanedIo {
  enum class State {
    none,
    in_flight,    ///< to `files`
    cannot_tell,  ///< `why`
  };
  State state = State::none;
  FileIds files = {};
  std::string why = {};
};

/// The files on which the process holds OFD locks, as QEMU does on its images and block devices.
/// Opens nothing but files of `proc`, so a disk that hangs does not block it.
[[nodiscard]] FileIds locked_files(pid_t pid, const std::filesystem::path& proc = "/proc");

/// Looks for OFD locks that no living process has. The kernel removes an OFD lock with the open
/// file (fs/file_table.c, __fput), and each submitted io_uring request holds a reference to that
/// file until it is done (io_uring/io_uring.c, io_put_file). So such a lock belongs to I/O which is
/// still in flight. `only`: the files to look at; empty: all of this host.
[[nodiscard]] OrphanedIo find_orphaned_io(const FileIds& only,
                                          const std::filesystem::path& proc = "/proc");

/// The answer `io_in_flight` if I/O of the VM's ended QEMU may still reach a disk, after waiting up
/// to `patience` for its end; otherwise nothing. Only io_uring leaves such I/O behind: with native
/// and threads the process does not end before its I/O.
[[nodiscard]] std::optional<Answer> check_orphaned_io(const World& world, const Vm& vm,
                                                      const std::optional<Record>& record,
                                                      std::chrono::milliseconds patience = {});

/// "/dev/sda, /dev/sdb": the first few disks; where they are unknown, "a disk".
[[nodiscard]] std::string disk_list(const std::optional<std::vector<std::string>>& disks);

}  // namespace guard
