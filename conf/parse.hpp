#pragma once

#include <string>
#include <string_view>

#include <tl/expected.hpp>

#include "conf/settings.hpp"

namespace conf {

/// Reads the text of a configuration; `file_name` is what an Error calls it. Every mistake that
/// `load` finds in a file's text is found here.
[[nodiscard]] Result<Settings> parse(std::string_view text, const std::string& file_name);

}  // namespace conf
