#pragma once

#include "conf/settings.hpp"
#include "dlmfs/result.hpp"

namespace guard {

/// start-guard.service: keeps this host's locks until SIGTERM, then ends the process. Returns only
/// if it can't begin, or its loop fails: another one may run already.
[[nodiscard]] dlmfs::Error keep_locks(conf::Settings settings);

}  // namespace guard
