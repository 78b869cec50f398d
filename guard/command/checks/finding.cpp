#include "guard/command/checks/finding.hpp"

#include <algorithm>

namespace guard::command {

Health worst(const Findings& findings) {
  auto worst = Health::ok;
  for (const Finding& finding : findings)
    worst = std::max(worst, finding.health);
  return worst;
}

std::string_view word(Health health) {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::warn:
      return "warn";
    case Health::fail:
      return "fail";
  }
  return "";
}

}  // namespace guard::command
