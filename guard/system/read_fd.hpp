#pragma once

#include <string>

#include "guard/system/result.hpp"

namespace guard {

/// Reads from the current position to the end of the file. The error has errno, but does not name
/// the file.
[[nodiscard]] Result<std::string> read_fd(int fd);

}  // namespace guard
