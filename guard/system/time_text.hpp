#pragma once

#include <chrono>
#include <string>

namespace guard {

/// Returns the wall clock time, rounded down to a second.
[[nodiscard]] std::chrono::sys_seconds now_in_seconds();

/// Returns the local time and its zone, such as "2026-11-22 21:30:05 UTC".
[[nodiscard]] std::string time_text(std::chrono::sys_seconds time);

}  // namespace guard
