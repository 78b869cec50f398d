#pragma once

#include <string>
#include <vector>

#include "dlmfs/lock_name.hpp"
#include "guard/system/result.hpp"

namespace hook {

/// The maximum size of the XML, in bytes: far more than libvirt's own limit for a domain's
/// description (4 MiB).
inline constexpr std::size_t max_xml_size = std::size_t{8} << 20;

struct Domain {
  /// The text of the one <uuid> directly below the root element <domain>. Other <uuid> elements, in
  /// <metadata> or a disk, are not the UUID of the VM.
  dlmfs::Uuid uuid;
  /// The sources of the writable files and block devices that QEMU uses with io_uring, as written
  /// in the XML. Entities are not resolved: these texts are for messages.
  std::vector<std::string> io_uring_disks;
};

/// Returns what can be read from the descriptor, up to a little more than `max_xml_size`. Reads
/// until the end, so that libvirt never writes into a closed pipe. Blocks until libvirt closes it.
[[nodiscard]] guard::Result<std::string> read_xml(int fd);

/// Returns what the hook needs of a domain's XML. EBADMSG: the XML is not in the form that libvirt
/// writes.
[[nodiscard]] guard::Result<Domain> parse_domain(std::string xml);

}  // namespace hook
