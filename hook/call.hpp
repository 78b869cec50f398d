#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dlmfs/result.hpp"

namespace hook {

/// One call of libvirt's: `DRIVER NAME OPERATION SUB-OPERATION EXTRA`, always four arguments, and
/// a domain's XML on standard input, which may be empty at stopped and release.
struct Call {
  std::string driver;  ///< qemu, lxc or libxl: the hook's own file name
  std::string vm_name;
  std::string operation;
};

/// EINVAL: these are not libvirt's arguments, or the name is none that libvirt gives a VM.
[[nodiscard]] dlmfs::Result<Call> parse_call(const std::vector<std::string>& arguments);

/// Everything on the descriptor, up to a little more than the XML may have. Reads on to the end, so
/// that libvirt never writes into a closed pipe.
[[nodiscard]] dlmfs::Result<std::string> read_xml(int fd);

}  // namespace hook
