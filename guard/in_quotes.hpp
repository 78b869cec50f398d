#pragma once

#include <string>
#include <string_view>

namespace guard {

/// A TOML basic string: in double quotes, on one line, whatever the value. It reads back as exactly
/// this value.
[[nodiscard]] std::string in_quotes(std::string_view value);

/// The same for people, in logs and on terminals: bytes that are not UTF-8 become \xNN.
[[nodiscard]] std::string shown_in_quotes(std::string_view value);

}  // namespace guard
