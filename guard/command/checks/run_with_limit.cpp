#include "guard/command/checks/run_with_limit.hpp"

#include <fmt/format.h>

#include "guard/command/checks/report.hpp"
#include "guard/command/run_in_child.hpp"

namespace guard::command {

Findings all_unknown(const Limits& limits, const std::string& why) {
  Findings findings;
  for (const std::string& check : limits.checks)
    findings.push_back({check, limits.unknown, "not known: " + why,
                        "try again in two minutes; if it stays so, see dmesg"});
  return findings;
}

Findings run_with_limit(const Limits& limits, const std::function<Findings()>& make) {
  auto make_outcome = [&] { return Outcome{0, to_text(to_json(make())), ""}; };
  auto outcome = run_in_child(limits.limit, make_outcome);
  if (!outcome) return all_unknown(limits, outcome.error().what);
  if (!*outcome) {
    std::chrono::duration<double> limit = limits.limit;
    return all_unknown(limits, fmt::format("no answer within {:.1f} s", limit.count()));
  }
  auto findings = findings_from_json((*outcome)->out);
  return findings ? *findings : all_unknown(limits, (*outcome)->err);
}

}  // namespace guard::command
