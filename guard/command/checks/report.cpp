#include "guard/command/checks/report.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace guard::command {
namespace {

constexpr std::string_view red = "\x1b[31m", yellow = "\x1b[33m", green = "\x1b[32m",
                           plain = "\x1b[0m";

std::string_view colour(Health health) {
  switch (health) {
    case Health::ok:
      return green;
    case Health::warn:
      return yellow;
    case Health::fail:
      return red;
  }
  return plain;
}

/// What fails stands out where there are no colours, too.
std::string label(Health health, const Terminal& terminal) {
  std::string text = fmt::format("{:<6}", health == Health::fail ? "FAIL" : word(health));
  return terminal.colour ? fmt::format("{}{}{}", colour(health), text, plain) : text;
}

Health health_of(const std::string& text) {
  for (auto health : {Health::ok, Health::warn}) {
    if (text == word(health)) return health;
  }
  return Health::fail;
}

}  // namespace

std::string as_text(const Findings& findings, const Terminal& terminal) {
  std::size_t width = 0;
  for (const Finding& finding : findings)
    width = std::max(width, finding.check.size());
  std::string text;
  for (const Finding& finding : findings) {
    text += fmt::format("{}{:<{}}  {}\n", label(finding.health, terminal), finding.check, width,
                        finding.found);
    if (!finding.remedy.empty()) text += fmt::format("{:>{}}{}\n", "", width + 8, finding.remedy);
  }
  return text;
}

Json to_json(const Findings& findings) {
  Json all = Json::array();
  for (const Finding& finding : findings) {
    all.push_back({{"check", finding.check},
                   {"state", word(finding.health)},
                   {"found", finding.found},
                   {"remedy", finding.remedy.empty() ? Json() : Json(finding.remedy)}});
  }
  return all;
}

std::optional<Findings> findings_from_json(const std::string& text) {
  Json all = Json::parse(text, nullptr, false);
  if (!all.is_array()) return std::nullopt;
  Findings findings;
  for (const Json& each : all) {
    const Json& remedy = each.at("remedy");
    findings.push_back(
        {each.at("check").get<std::string>(), health_of(each.at("state").get<std::string>()),
         each.at("found").get<std::string>(), remedy.is_null() ? "" : remedy.get<std::string>()});
  }
  return findings;
}

}  // namespace guard::command
