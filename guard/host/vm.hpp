#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dlmfs/lock_name.hpp"

namespace guard {

/// The driver of a VM whose record cannot be read.
inline constexpr const char* unknown_driver = "unknown";

/// A VM, with the names that libvirt passes to the hook.
struct Vm {
  std::string name;
  dlmfs::Uuid uuid;
  /// The hook's name in libvirt: qemu, lxc or libxl, or `unknown_driver`.
  std::string driver = "qemu";
  /// The sources of the writable disks with <driver io='io_uring'> in the XML. Nullopt: unknown.
  std::optional<std::vector<std::string>> io_uring_disks = std::nullopt;
};

/// The result of a handler. libvirt stops its operation only if `denied` is true.
struct Verdict {
  bool denied = false;
  std::string message = {};  ///< one line for the user; empty unless denied

  [[nodiscard]] static Verdict pass() { return {}; }
  [[nodiscard]] static Verdict deny(std::string message) { return {true, std::move(message)}; }
};

}  // namespace guard
