#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

namespace guard::command {

/// Keeps the keys in the order of insertion.
using Json = nlohmann::ordered_json;

/// Returns the document as indented text. Replaces bytes that are not UTF-8 in a VM's name, and
/// escapes unprintable characters.
[[nodiscard]] std::string to_text(const Json& document);

/// Returns the time in ISO 8601, in UTC: "2026-11-23T04:45:14Z".
[[nodiscard]] std::string iso_time(std::chrono::sys_seconds time);

}  // namespace guard::command
