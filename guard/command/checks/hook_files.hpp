#pragma once

#include <optional>
#include <string>
#include <sys/stat.h>
#include <vector>

#include "guard/command/checks/system_paths.hpp"

namespace guard::command {

/// A file that libvirt runs, if it can, at each operation on a VM.
struct HookFile {
  std::filesystem::path path;
  struct stat status = {};  ///< of what it is in the end
  bool symlink = false;     ///< which it is reached by
  std::string build = {};   ///< of which build of start-guard it is; empty: none of it

  [[nodiscard]] bool executable() const {
    return S_ISREG(status.st_mode) && (status.st_mode & 0111U);
  }
};

/// Of which build of start-guard this program is; empty: it is none of it.
[[nodiscard]] std::string build_in(const std::string& program);

/// All of them in libvirt's order: hooks/qemu, then those in hooks/qemu.d in the order of their
/// bytes, which has dotfiles first, and leaves out no editor's backup. They are read, never run.
/// `driver`: whose hooks they are, as libvirt names them.
[[nodiscard]] std::vector<HookFile> hook_files(const SystemPaths& paths,
                                               const std::string& driver = "qemu");

/// The first of them that is start-guard's.
[[nodiscard]] std::optional<HookFile> guards_hook(const std::vector<HookFile>& files);

}  // namespace guard::command
