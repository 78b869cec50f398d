#include "conf/toml_quote.hpp"

#include <cstdint>

#include <fmt/format.h>

#include "conf/escape.hpp"

namespace conf {
namespace {

std::string quoted(std::string_view value, std::string (*escape_byte)(std::string_view byte)) {
  std::string text;
  for (char byte : value) {
    if (byte == '"' || byte == '\\') text += '\\';
    text += byte;
  }
  text = replace_unsafe(text, [&](const UnsafeCharacter& character) {
    if (!character.utf8) return escape_byte(character.bytes);
    return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(character.code));
  });
  return '"' + text + '"';
}

}  // namespace

std::string toml_quote(std::string_view value) {
  return quoted(value, [](std::string_view byte) { return std::string(byte); });
}

std::string display_quote(std::string_view value) {
  return quoted(value, [](std::string_view byte) {
    return fmt::format("\\x{:02x}", static_cast<unsigned char>(byte.front()));
  });
}

}  // namespace conf
