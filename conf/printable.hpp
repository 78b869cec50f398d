#pragma once

#include <string>
#include <string_view>

namespace conf {

/// The text fit for one line of a message: what is not printable ASCII becomes \n, \t or \xNN, and
/// of a text longer than `max_length` bytes only the beginning is kept. Not even UTF-8 is let
/// through: libvirt runs the hook with LC_ALL=C, and the line ends in terminals and in syslog.
[[nodiscard]] std::string printable(std::string_view text, std::size_t max_length = 200);

/// Whether the text holds a control character, NUL included.
[[nodiscard]] bool has_control_characters(std::string_view text);

}  // namespace conf
