#pragma once

#include <string>

#include "dlmfs/result.hpp"

namespace dlmfs {

/// Everything from here to the end of an open file. The error is errno's, without a context.
[[nodiscard]] Result<std::string> read_to_end(int fd);

}  // namespace dlmfs
