#include "guard/state/key_values.hpp"

#include "conf/toml_quote.hpp"

namespace guard {
namespace {

void append_utf8(std::string& text, unsigned code) {
  auto add = [&](unsigned byte) { text += static_cast<char>(byte); };
  if (code < 0x80) return add(code);
  if (code < 0x800) {
    add(0xC0U | (code >> 6U));
  } else {
    add(0xE0U | (code >> 12U));
    add(0x80U | ((code >> 6U) & 0x3FU));
  }
  add(0x80U | (code & 0x3FU));
}

/// Returns the value that conf::toml_quote quoted, or nullopt if the text has another form.
std::optional<std::string> unquote(std::string_view quoted) {
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') return std::nullopt;
  quoted = quoted.substr(1, quoted.size() - 2);
  std::string value;
  while (!quoted.empty()) {
    char first = quoted.front();
    quoted.remove_prefix(1);
    if (first == '"') return std::nullopt;
    if (first != '\\') {
      value += first;
      continue;
    }
    char escaped = quoted.empty() ? '\0' : quoted.front();
    if (escaped == '"' || escaped == '\\') {
      value += escaped;
      quoted.remove_prefix(1);
      continue;
    }
    constexpr std::size_t length = 5;  // uXXXX
    if (escaped != 'u' || quoted.size() < length) return std::nullopt;
    constexpr int hexadecimal = 16;
    auto code = whole_number<unsigned>(quoted.substr(1, length - 1), hexadecimal);
    if (!code) return std::nullopt;
    append_utf8(value, *code);
    quoted.remove_prefix(length);
  }
  return value;
}

Error unreadable_line(std::string_view line) {
  return Error{EBADMSG, fmt::format("not readable: {}", conf::display_quote(line))};
}

}  // namespace

Result<KeyValues> KeyValues::parse(std::string_view text) {
  constexpr std::string_view equals = " = ";
  KeyValues values;
  while (!text.empty()) {
    std::string_view line = take_until('\n', text);
    std::size_t key_end = line.find(equals);
    if (key_end == std::string_view::npos) return fail(unreadable_line(line));
    std::string_view key = line.substr(0, key_end);
    std::string_view value = line.substr(key_end + equals.size());
    bool quoted = value.starts_with('"');
    auto read = quoted ? unquote(value) : std::string(value);
    if (!read || read->find('\0') != std::string::npos || values.contains(key)) {
      return fail(unreadable_line(line));
    }
    values.entries_.push_back({std::string(key), std::move(*read), quoted});
  }
  return values;
}

std::string KeyValues::to_text() const {
  std::string text;
  for (const Entry& entry : entries_) {
    text += entry.key + " = ";
    text += entry.quoted ? conf::toml_quote(entry.value) : entry.value;
    text += '\n';
  }
  return text;
}

void KeyValues::set(std::string_view key, std::string_view text) {
  entries_.push_back({std::string(key), std::string(text), true});
}

void KeyValues::set(std::string_view key, std::int64_t number) {
  entries_.push_back({std::string(key), std::to_string(number)});
}

void KeyValues::set(std::string_view key, bool yes) {
  entries_.push_back({std::string(key), yes ? "true" : "false"});
}

std::string KeyValues::text(std::string_view key, std::string_view otherwise) const {
  const std::string* value = find(key);
  return value != nullptr ? *value : std::string(otherwise);
}

const std::string* KeyValues::find(std::string_view key) const {
  for (const Entry& entry : entries_) {
    if (entry.key == key) return &entry.value;
  }
  return nullptr;
}

}  // namespace guard
