#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace conf {

/// The maximum duration of a setting.
inline constexpr std::chrono::milliseconds longest_duration = std::chrono::hours(1);

/// Parses a duration: an integer and its unit (ms, s, m or h) without spaces, such as "500ms",
/// "10s" or "2m". Returns nullopt for any other text, and if it exceeds longest_duration.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace conf
