#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dlmfs/lock_name.hpp"

namespace guard {

/// A VM as libvirt names it to its hook.
struct Vm {
  std::string name;
  dlmfs::Uuid uuid;
  std::string driver = "qemu";  ///< the hook's name in libvirt: qemu, lxc or libxl
  /// Its writable disks with <driver io='io_uring'>, by their source in the XML. Nothing: unknown.
  std::optional<std::vector<std::string>> io_uring_disks = std::nullopt;
};

/// A rule's answer to libvirt. Only a refusal stops what libvirt is about to do.
struct Verdict {
  bool denied = false;
  std::string message = {};  ///< one line for the user; empty unless refused

  [[nodiscard]] static Verdict pass() { return {}; }
  [[nodiscard]] static Verdict deny(std::string message) { return {true, std::move(message)}; }
};

}  // namespace guard
