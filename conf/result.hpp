#pragma once

#include "guard/system/result.hpp"

/// This library uses the error type of guard/system.
namespace conf {

using guard::Error;
using guard::fail;
using guard::Result;

}  // namespace conf
