#pragma once

#include "guard/system/result.hpp"
#include "guard/system/unique_fd.hpp"

/// This library uses the error type and the descriptor type of guard/system.
namespace dlmfs {

using guard::Error;
using guard::fail;
using guard::Result;
using guard::system_error;
using guard::UniqueFd;

}  // namespace dlmfs
