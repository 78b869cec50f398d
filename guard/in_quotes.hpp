#pragma once

#include <string>
#include <string_view>

namespace guard {

/// A TOML basic string: in double quotes, on one line, whatever the value.
[[nodiscard]] std::string in_quotes(std::string_view value);

}  // namespace guard
