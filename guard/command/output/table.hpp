#pragma once

#include <string>
#include <vector>

#include "guard/command/output/terminal.hpp"

namespace guard::command {

/// A row of the table, for one VM. Each anomaly is printed on a line of its own below the row.
struct Row {
  std::vector<std::string> cells;
  std::vector<std::string> anomalies = {};
  bool alarm = false;  ///< print its anomalies in red, if the terminal has colours
};

/// Returns the rows in columns under a heading. If the terminal is too narrow, shortens the first
/// column ("~"), then the second, and breaks anomalies between words.
[[nodiscard]] std::string table(const std::vector<std::string>& heading,
                                const std::vector<Row>& rows, const Terminal& terminal);

}  // namespace guard::command
