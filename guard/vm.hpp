#pragma once

#include <string>

#include "dlmfs/lock_name.hpp"

namespace guard {

/// A VM as libvirt names it to its hook.
struct Vm {
  std::string name;
  dlmfs::Uuid uuid;
  std::string driver = "qemu";  ///< the hook's name in libvirt: qemu, lxc or libxl
};

/// A rule's answer to libvirt. Only a refusal stops what libvirt is about to do.
struct Verdict {
  bool refused = false;
  std::string message = {};  ///< one line for the user; empty unless refused

  [[nodiscard]] static Verdict pass() { return {}; }
  [[nodiscard]] static Verdict refuse(std::string message) { return {true, std::move(message)}; }
};

}  // namespace guard
