#pragma once

#include <filesystem>
#include <string>

#include "guard/system/result.hpp"

namespace guard {

/// Puts a file of this text, root's and executable for all, at `path` by a rename: whoever looks
/// there sees nothing or what was there, and then all of the new file, also after a power cut. It
/// is written at `part`, on the same file system, first. EEXIST unless `replaces`, when something
/// is at `path`; nothing is changed then.
[[nodiscard]] Result<void> install_atomically(const std::filesystem::path& path,
                                              const std::filesystem::path& part,
                                              const std::string& text, bool replaces);

}  // namespace guard
