#pragma once

#include <filesystem>

#include "guard/system/result.hpp"

namespace guard {

/// start-guard.service: keeps this host's locks until SIGTERM, then ends the process. Returns only
/// if it can't begin, or its loop fails: another one may run already. EINVAL: the configuration has
/// a mistake.
[[nodiscard]] Error keep_locks(const std::filesystem::path& configuration);

}  // namespace guard
