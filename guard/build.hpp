#pragma once

#include <string_view>

namespace guard {

/// Which build this program is of: "start-guard-build:" and 12 hex digits, a hash of the sources.
/// It stands like this in the file of every program of that build, the hook above all.
extern const char build_mark[];

inline constexpr std::string_view build_mark_start = "start-guard-build:";

/// The digits alone.
[[nodiscard]] inline std::string_view this_build() {
  return std::string_view(build_mark).substr(build_mark_start.size());
}

}  // namespace guard
