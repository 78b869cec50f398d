#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace conf {

/// A character that this program never prints to a terminal or log, for example from a VM's name:
/// - a control character: U+0000 to U+001F, U+007F to U+009F (some are terminal commands)
/// - a line or paragraph separator: U+2028, U+2029
/// - a mark that changes the direction of text: U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to
///   U+2069
/// - a byte that is not UTF-8
/// All other UTF-8 is printed unchanged.
struct UnsafeCharacter {
  std::string_view bytes;
  char32_t code = 0;  ///< the code point, or the byte
  bool utf8 = true;   ///< false: `bytes` is one byte that is not UTF-8
};

using Escape = std::function<std::string(const UnsafeCharacter&)>;

/// Returns the text with each unsafe character replaced by the result of `escape`.
[[nodiscard]] std::string replace_unsafe(std::string_view text, const Escape& escape);

/// A `max_length` that keeps the whole text.
inline constexpr std::size_t any_length = std::string_view::npos;

/// Returns the text in a form for one line of a message: unsafe characters become \n, \t, \xNN or
/// \uNNNN. Truncates a text of more than `max_length` bytes after a whole character and appends
/// "...".
[[nodiscard]] std::string escape(std::string_view text, std::size_t max_length = 200);

/// Returns true if the text contains an ASCII control character, including NUL.
[[nodiscard]] bool has_control_characters(std::string_view text);

}  // namespace conf
