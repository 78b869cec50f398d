#pragma once

#include <string>

#include "dlmfs/lock_name.hpp"
#include "dlmfs/result.hpp"

namespace hook {

/// Far more than libvirt's own limit for a domain's description (4 MiB).
inline constexpr std::size_t max_xml_size = std::size_t{8} << 20;

/// The UUID in a domain's XML: that of the one <uuid> right below the one root <domain>; others,
/// in <metadata> or a disk, are somebody else's. EBADMSG: the XML is none of libvirt's.
[[nodiscard]] dlmfs::Result<dlmfs::Uuid> uuid_of_domain(std::string xml);

}  // namespace hook
