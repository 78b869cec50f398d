#pragma once

#include <optional>
#include <string>
#include <vector>

#include "guard/system/result.hpp"

namespace hook {

/// One call of libvirt's: `DRIVER NAME OPERATION SUB-OPERATION EXTRA`, always four arguments, and
/// a domain's XML on standard input, which may be empty at stopped and release.
struct Invocation {
  std::string driver;  ///< qemu, lxc or libxl: the hook's own file name
  std::string vm_name;
  std::string operation;
};

/// EINVAL: these are not libvirt's arguments, or the name is none that libvirt gives a VM.
[[nodiscard]] guard::Result<Invocation> parse_invocation(const std::vector<std::string>& arguments);

/// Everything on the descriptor, up to a little more than the XML may have. Reads on to the end, so
/// that libvirt never writes into a closed pipe.
[[nodiscard]] guard::Result<std::string> read_xml(int fd);

}  // namespace hook
