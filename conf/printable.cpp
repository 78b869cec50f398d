#include "conf/printable.hpp"

#include <algorithm>

namespace conf {
namespace {

bool is_control(char character) {
  auto byte = static_cast<unsigned char>(character);
  return byte < 0x20 || byte == 0x7f;
}

void append_printable(std::string& line, char character) {
  constexpr std::string_view hex = "0123456789abcdef";
  auto byte = static_cast<unsigned char>(character);
  if (character == '\n') {
    line += "\\n";
  } else if (character == '\t') {
    line += "\\t";
  } else if (is_control(character) || byte >= 0x80) {
    line += {'\\', 'x', hex[byte >> 4U], hex[byte & 0xfU]};
  } else {
    line += character;
  }
}

}  // namespace

std::string printable(std::string_view text, std::size_t max_length) {
  std::string line;
  for (char character : text.substr(0, max_length))
    append_printable(line, character);
  if (text.size() > max_length) line += "...";
  return line;
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), is_control);
}

}  // namespace conf
