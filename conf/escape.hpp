#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace conf {

/// A character that is never shown to people, neither on terminals nor in logs, whatever the name
/// of a VM or the text of a file: a control character (U+0000 to U+001F, U+007F to U+009F; some of
/// the latter are commands to terminals), a line or paragraph separator (U+2028, U+2029), a mark
/// that changes the direction of text (U+061C, U+200E, U+200F, U+202A to U+202E, U+2066 to U+2069),
/// or a byte that is not UTF-8. All other UTF-8 is shown as it is.
struct UnsafeCharacter {
  std::string_view bytes;
  char32_t code = 0;  ///< the character's, or the byte
  bool utf8 = true;   ///< false: `bytes` is one byte that is not UTF-8
};

using Escape = std::function<std::string(const UnsafeCharacter&)>;

/// Returns the text with each unprintable character replaced by what `escape` makes of it.
[[nodiscard]] std::string replace_unsafe(std::string_view text, const Escape& escape);

/// For `max_length`: all of the text.
inline constexpr std::size_t any_length = std::string_view::npos;

/// Returns the text fit for one line of a message: what is unprintable becomes \n, \t, \xNN or
/// \uNNNN. Of a text longer than `max_length` bytes only the beginning is kept, in whole
/// characters.
[[nodiscard]] std::string escape(std::string_view text, std::size_t max_length = 200);

/// Whether the text holds a control character of ASCII, NUL included.
[[nodiscard]] bool has_control_characters(std::string_view text);

}  // namespace conf
