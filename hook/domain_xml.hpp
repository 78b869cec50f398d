#pragma once

#include <string>
#include <vector>

#include "dlmfs/lock_name.hpp"
#include "guard/system/result.hpp"

namespace hook {

/// Far more than libvirt's own limit for a domain's description (4 MiB).
inline constexpr std::size_t max_xml_size = std::size_t{8} << 20;

struct Domain {
  /// That of the one <uuid> right below the one root <domain>; others, in <metadata> or a disk, are
  /// somebody else's.
  dlmfs::Uuid uuid;
  /// The sources of the writable files and block devices that QEMU uses by io_uring, as written in
  /// the XML, entities not resolved: they are for messages.
  std::vector<std::string> io_uring_disks;
};

/// What the hook reads of a domain's XML. EBADMSG: the XML is none of libvirt's.
[[nodiscard]] guard::Result<Domain> parse_domain(std::string xml);

}  // namespace hook
