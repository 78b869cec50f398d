#pragma once

#include <string>

#include "guard/system/result.hpp"

namespace guard {

/// Everything from here to the end of an open file. The error is errno's, without a context.
[[nodiscard]] Result<std::string> read_fd(int fd);

}  // namespace guard
