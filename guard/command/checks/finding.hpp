#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace guard::command {

/// How it stands with one condition of the promise that no VM runs twice.
enum class Health {
  ok,
  warn,  ///< the promise holds, but with less behind it
  fail,  ///< it does not hold, or no VM can be started
};

/// What one check has come to.
struct Finding {
  std::string check;  ///< its name, which stays the same for programs
  Health health = Health::ok;
  std::string found;
  std::string remedy = {};  ///< the command that mends it, or what to do
};

using Findings = std::vector<Finding>;

[[nodiscard]] Health worst(const Findings& findings);

/// For programs: "ok", "warn", "fail".
[[nodiscard]] std::string_view word(Health health);

}  // namespace guard::command
