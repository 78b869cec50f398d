#pragma once

#include <filesystem>

#include "conf/settings.hpp"
#include "guard/system/result.hpp"

namespace guard {

/// Runs start-guard.service until SIGTERM or SIGINT and then exits the process. Returns only an
/// error: it could not start, for example because another keeper runs on this host. Reads the key
/// guard.exempt from `configuration` again whenever that file changes. Call it in the main thread,
/// before the process creates other threads.
[[nodiscard]] Error keep_locks(const std::filesystem::path& configuration, conf::Settings settings);

}  // namespace guard
