#pragma once

#include <string_view>

namespace guard {

/// Identifies the build of this program: "start-guard-build:" and 12 hex digits of a hash of the
/// sources. The file of every program of the build contains this text, including the hook.
extern const char build_mark[];

inline constexpr std::string_view build_mark_start = "start-guard-build:";

/// Returns the 12 digits.
[[nodiscard]] inline std::string_view this_build() {
  return std::string_view(build_mark).substr(build_mark_start.size());
}

}  // namespace guard
