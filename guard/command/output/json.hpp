#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace guard::command {

/// Keys in the order they were put in.
using Json = nlohmann::ordered_json;

/// One document, one line a level; what is no UTF-8 in a VM's name is replaced,
/// and what is unprintable is escaped.
[[nodiscard]] std::string to_text(const Json& document);

/// ISO 8601, in UTC: "2026-11-23T04:45:14Z".
[[nodiscard]] std::string iso_time(std::chrono::sys_seconds time);

}  // namespace guard::command
