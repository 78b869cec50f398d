#pragma once

#include <string>
#include <vector>

#include "guard/system/result.hpp"

namespace hook {

/// One call of the hook by libvirt: `PROGRAM NAME OPERATION SUB-OPERATION EXTRA`, always four
/// arguments after the program, whose file name is the driver, and the XML of the domain on
/// standard input. The XML may be empty at `stopped` and `release`.
struct Invocation {
  std::string driver;  ///< qemu, lxc or libxl, from the path of the hook
  std::string vm_name;
  std::string operation;
};

/// Returns the invocation. EINVAL: these are not libvirt's arguments, or libvirt does not allow the
/// name for a VM.
[[nodiscard]] guard::Result<Invocation> parse_invocation(const std::vector<std::string>& arguments);

}  // namespace hook
