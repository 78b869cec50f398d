#pragma once

#include <string>
#include <string_view>

#include "conf/settings.hpp"

namespace conf {

/// Parses the text of a configuration. Returns an Error for the first mistake in the text. The
/// Error contains `file_name` and the mistake's line and column.
[[nodiscard]] Result<Settings> parse(std::string_view text, const std::string& file_name);

}  // namespace conf
