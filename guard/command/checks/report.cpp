#include "guard/command/checks/report.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace guard::command {
namespace {

std::string_view colour_of(Health health) {
  switch (health) {
    case Health::ok:
      return colour::green;
    case Health::warn:
      return colour::yellow;
    case Health::fail:
      return colour::red;
  }
  return colour::reset;
}

/// "FAIL" is in capital letters, so that it also stands out without colours.
std::string label(Health health, const Terminal& terminal) {
  std::string text = fmt::format("{:<6}", health == Health::fail ? "FAIL" : word(health));
  return terminal.colour ? fmt::format("{}{}{}", colour_of(health), text, colour::reset) : text;
}

Health health_of(const std::string& text) {
  for (auto health : {Health::ok, Health::warn}) {
    if (text == word(health)) return health;
  }
  return Health::fail;
}

}  // namespace

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
