#pragma once

#include <string>
#include <string_view>

namespace conf {

/// Returns the value as a TOML basic string: in double quotes, on one line. A parser reads back
/// exactly this value.
[[nodiscard]] std::string toml_quote(std::string_view value);

/// Returns the value in quotes for logs and terminals. As `toml_quote`, but bytes that are not
/// UTF-8 become \xNN.
[[nodiscard]] std::string display_quote(std::string_view value);

}  // namespace conf
