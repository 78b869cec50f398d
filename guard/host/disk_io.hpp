#pragma once

#include <filesystem>
#include <string>
#include <sys/types.h>
#include <vector>

namespace guard {

/// Files, named as in /proc/locks: MAJOR:MINOR:INODE.
using FileIds = std::vector<std::string>;

/// I/O in flight on this host whose process has ended.
struct OrphanedIo {
  enum class State {
    none,
    in_flight,    ///< `files` names where to
    cannot_tell,  ///< `why` is the reason
  };
  State state = State::none;
  FileIds files = {};
  std::string why = {};
};

/// Returns the files on which the process holds OFD locks. QEMU holds them on its images and block
/// devices. Opens only files below `proc`, so a disk that hangs does not block this call.
[[nodiscard]] FileIds locked_files(pid_t pid, const std::filesystem::path& proc = "/proc");

/// Looks for OFD locks that no living process holds. The kernel removes an OFD lock when it frees
/// the open file (fs/file_table.c, __fput). Each submitted io_uring request keeps a reference to
/// that file until the request is done (io_uring/io_uring.c, io_put_file). So such a lock belongs
/// to I/O that is still in flight. Checks the files in `only`, or all files of this host if `only`
/// is empty.
[[nodiscard]] OrphanedIo find_orphaned_io(const FileIds& only,
                                          const std::filesystem::path& proc = "/proc");

}  // namespace guard
