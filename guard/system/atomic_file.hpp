#pragma once

#include <filesystem>
#include <string>

#include "guard/system/result.hpp"

namespace guard {

/// Installs a file with this text and mode 0755 at `path`. Writes it to `part`, on the same file
/// system, and renames it. So a reader sees either the old state or the complete new file, even
/// after a power failure. EEXIST: `path` exists and `replaces` is false; then `path` is unchanged.
[[nodiscard]] Result<void> install_atomically(const std::filesystem::path& path,
                                              const std::filesystem::path& part,
                                              const std::string& text, bool replaces);

}  // namespace guard
