#pragma once

#include <optional>
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
  /// Why the VM has ended, at `release` of libvirt >= 10.5: EXTRA, a name of
  /// virDomainShutoffReason in libvirt's src/conf/domain_conf.c, such as "from snapshot". nullopt
  /// if EXTRA is "-" or empty. Has at most max_reason_size bytes, and may have any of them.
  std::optional<std::string> reason;
};

/// More than the longest reason of libvirt, so that a longer EXTRA cannot fill a log line.
constexpr std::size_t max_reason_size = 64;

/// Returns the invocation. EINVAL: these are not libvirt's arguments, or libvirt does not allow the
/// name for a VM.
[[nodiscard]] guard::Result<Invocation> parse_invocation(const std::vector<std::string>& arguments);

}  // namespace hook
