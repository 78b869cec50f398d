#pragma once

#include <string>
#include <string_view>

namespace conf {

/// A TOML basic string: in double quotes, on one line, whatever the value. It reads back as exactly
/// this value.
[[nodiscard]] std::string toml_quote(std::string_view value);

/// The same for people, in logs and on terminals: bytes that are not UTF-8 become \xNN.
[[nodiscard]] std::string display_quote(std::string_view value);

}  // namespace conf
