#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace conf {

/// The longest duration a setting may have.
inline constexpr std::chrono::milliseconds longest_duration = std::chrono::hours(1);

/// Reads a duration: an integer and its unit (ms, s, m or h), nothing before, between or behind,
/// as in "500ms", "10s", "2m". Nothing else is a duration, nor is what exceeds longest_duration.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

}  // namespace conf
