#pragma once

#include <string>

namespace conf {

/// Why a configuration was refused: one printable line,
/// "FILE:LINE:COLUMN: what is wrong; expected …". No line and column where none applies.
struct Error {
  std::string what;
};

}  // namespace conf
