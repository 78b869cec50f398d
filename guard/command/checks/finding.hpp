#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace guard::command {

/// The state of one condition of the guarantee that no VM runs twice.
enum class Health {
  ok,
  warn,  ///< the guarantee holds, but with less protection
  fail,  ///< the guarantee does not hold, or no VM can be started
};

/// The result of one check.
struct Finding {
  std::string check;  ///< its name, which never changes, since programs read it
  Health health = Health::ok;
  std::string found;
  std::string remedy = {};  ///< the command that repairs it, or what to do
};

using Findings = std::vector<Finding>;

[[nodiscard]] Health worst(const Findings& findings);

/// Returns the word for programs: "ok", "warn" or "fail".
[[nodiscard]] std::string_view word(Health health);

}  // namespace guard::command
