#pragma once

#include <optional>
#include <string>
#include <vector>

#include "guard/command/verbs/lock/lock.hpp"

namespace CLI {
class App;
}

namespace guard::command {

class CommandLine;

/// The arguments of the verb `lock`.
struct LockArguments {
  std::string domain = "locks";
  std::string name = {};
  bool once = false;
  std::optional<double> seconds = std::nullopt;
  int conflict_status = 1;
  std::vector<std::string> command = {};  ///< the words after "--"; CLI11 does not see them

  /// Adds all of them except `command` to the verb. This object must outlive the parsing.
  void add_to(CLI::App& verb);
  /// Returns what was parsed.
  [[nodiscard]] LockRequest request() const;
};

/// Adds the verb `lock`.
void add_lock(CommandLine& command_line);

}  // namespace guard::command
