#pragma once

#include "dlmfs/mount.hpp"

namespace guard {

/// Joins a DLM domain, unless this host has joined it. Blocks and fails like dlmfs::Mount::join.
/// The message for EINVAL names the possible causes and the command that shows them.
[[nodiscard]] Result<void> join(dlmfs::Mount& mount, const dlmfs::DomainName& domain);

}  // namespace guard
