#include "guard/command/check/bounded.hpp"

#include <fmt/format.h>

#include "guard/command/check/report.hpp"
#include "guard/command/within.hpp"

namespace guard::command {

Findings all_unknown(const Bounds& bounds, const std::string& why) {
  Findings findings;
  for (const std::string& check : bounds.checks)
    findings.push_back({check, bounds.unknown, "not known: " + why,
                        "try again in two minutes; if it stays so, see dmesg"});
  return findings;
}

Findings bounded(const Bounds& bounds, const std::function<Findings()>& make) {
  auto outcome = within(bounds.limit, [&] { return Outcome{0, to_text(to_json(make())), ""}; });
  if (!outcome) {
    std::chrono::duration<double> limit = bounds.limit;
    return all_unknown(bounds, fmt::format("no answer within {:.1f} s", limit.count()));
  }
  auto findings = findings_from_json(outcome->out);
  return findings ? *findings : all_unknown(bounds, outcome->err);
}

}  // namespace guard::command
