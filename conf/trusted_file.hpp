#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>

#include <tl/expected.hpp>

#include "guard/system/result.hpp"

namespace conf {

/// The largest file that is read.
inline constexpr std::size_t max_file_size = std::size_t{64} * 1024;

/// The text of a file that nobody but root can have written; nothing if the file is absent. An
/// Error if it is not a regular file, is not root's, is writable by group or others, exceeds
/// max_file_size or cannot be read. So that tests need not be root, the effective user's own file
/// passes for root's: for the programs installed that user is root.
[[nodiscard]] Result<std::optional<std::string>> read_trusted(const std::filesystem::path& file);

}  // namespace conf
