#pragma once

#include "dlmfs/mount.hpp"

namespace guard {

/// Joins a DLM domain, if this host has not. The error says what may be wrong, and where to look.
[[nodiscard]] Result<void> join(dlmfs::Mount& mount, const dlmfs::DomainName& domain);

}  // namespace guard
