#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "conf/result.hpp"

namespace conf {

/// The maximum size in bytes of a file that `read_trusted` reads.
inline constexpr std::size_t max_file_size = std::size_t{64} * 1024;

/// Returns the text of a file that only root can have written, or nullopt if there is no file.
/// Returns an Error if the file is not a regular file, does not belong to root, is writable by
/// group or others, exceeds max_file_size, or cannot be read. A file of the effective user is
/// accepted too, so tests need not run as root. For the installed programs that user is root.
[[nodiscard]] Result<std::optional<std::string>> read_trusted(const std::string& file);

}  // namespace conf
