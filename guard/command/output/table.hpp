#pragma once

#include <string>
#include <vector>

#include "guard/command/verb_context.hpp"

namespace guard::command {

/// One VM, one row; what there is to say of it beyond its columns comes on lines of its own.
struct Row {
  std::vector<std::string> cells;
  std::vector<std::string> anomalies = {};
  bool alarm = false;  ///< its remarks stand out
};

/// In columns under a heading. On a terminal that is too narrow the first column, then the second,
/// is cut short ("~"), and remarks are broken between words.
[[nodiscard]] std::string table(const std::vector<std::string>& heading,
                                const std::vector<Row>& rows, const Terminal& terminal);

}  // namespace guard::command
