#pragma once

#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

#include "guard/command/checks/system_paths.hpp"

namespace guard::command {

/// A file that libvirt runs at each operation on a VM, if the file is executable.
struct HookFile {
  std::filesystem::path path;
  struct stat status = {};  ///< of the file itself, after symlinks
  bool symlink = false;     ///< `path` is a symlink
  std::string build = {};   ///< its build of start-guard; empty: not start-guard's hook

  [[nodiscard]] bool executable() const {
    return S_ISREG(status.st_mode) && (status.st_mode & 0111U);
  }
};

/// Returns the build of start-guard of this program, or "" if it is not start-guard's.
[[nodiscard]] std::string build_in(const std::string& program);

/// Returns all hooks of a driver in the order in which libvirt runs them: hooks/qemu, then the
/// files in hooks/qemu.d in byte order. Dotfiles come first, and backup files of editors are
/// included. The files are read, never run. `driver`: the driver's name in libvirt.
[[nodiscard]] std::vector<HookFile> hook_files(const SystemPaths& paths,
                                               const std::string& driver = "qemu");

/// Returns the first hook that is start-guard's.
[[nodiscard]] std::optional<HookFile> guards_hook(const std::vector<HookFile>& files);

}  // namespace guard::command
