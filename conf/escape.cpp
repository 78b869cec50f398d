#include "conf/escape.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace conf {
namespace {

constexpr std::array<std::pair<char32_t, char32_t>, 6> unprintable_ranges{{{0x00, 0x1f},
                                                                           {0x7f, 0x9f},
                                                                           {0x61c, 0x61c},
                                                                           {0x200e, 0x200f},
                                                                           {0x2028, 0x202e},
                                                                           {0x2066, 0x2069}}};

bool is_unprintable(char32_t code) {
  return std::any_of(unprintable_ranges.begin(), unprintable_ranges.end(), [&](const auto& range) {
    return code >= range.first && code <= range.second;
  });
}

bool is_printable_ascii(char character) {
  return character >= ' ' && character <= '~';
}

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80;
}

/// Returns the first character of a non-empty text.
UnsafeCharacter first_of(std::string_view text) {
  auto lead = static_cast<unsigned char>(text.front());
  UnsafeCharacter byte{text.substr(0, 1), lead, lead < 0x80};
  if (byte.utf8) return byte;
  std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
  auto tail = text.substr(1, size - 1);
  if (lead < 0xc0 || lead >= 0xf8 || tail.size() < size - 1 ||
      !std::all_of(tail.begin(), tail.end(), is_continuation)) {
    return byte;
  }
  char32_t code = lead & (0xffU >> (size + 1));
  for (char each : tail)
    code = code << 6U | (static_cast<unsigned char>(each) & 0x3fU);
  // UTF-8 allows neither overlong forms nor surrogates.
  bool valid = code >= least.at(size) && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
  return valid ? UnsafeCharacter{text.substr(0, size), code, true} : byte;
}

std::string escaped(const UnsafeCharacter& character) {
  if (character.code == '\n') return "\\n";
  if (character.code == '\t') return "\\t";
  auto code = static_cast<std::uint32_t>(character.code);
  if (character.bytes.size() == 1) return fmt::format("\\x{:02x}", code);
  return fmt::format("\\u{:04x}", code);
}

/// Returns the longest beginning of the text that has at most `max_length` bytes and ends with a
/// whole character.
std::string_view beginning(std::string_view text, std::size_t max_length) {
  if (text.size() <= max_length) return text;
  std::size_t end = max_length;
  while (end > 0 && max_length - end < 3 && is_continuation(text[end]))
    --end;
  return text.substr(0, is_continuation(text[end]) ? max_length : end);
}

}  // namespace

std::string replace_unsafe(std::string_view text, const Escape& escape) {
  std::string line;
  for (;;) {
    const auto* plain_end = std::find_if_not(text.begin(), text.end(), is_printable_ascii);
    line.append(text.begin(), plain_end);
    text.remove_prefix(static_cast<std::size_t>(plain_end - text.begin()));
    if (text.empty()) return line;
    UnsafeCharacter character = first_of(text);
    text.remove_prefix(character.bytes.size());
    if (!character.utf8 || is_unprintable(character.code))
      line += escape(character);
    else
      line += character.bytes;
  }
}

std::string escape(std::string_view text, std::size_t max_length) {
  std::string line = replace_unsafe(beginning(text, max_length), escaped);
  if (text.size() > max_length) line += "...";
  return line;
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char character) {
    auto byte = static_cast<unsigned char>(character);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace conf
