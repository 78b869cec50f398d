#pragma once

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

namespace guard {

/// Removes the text before the first `separator`, and the separator, from the front of `text`.
/// Returns the removed text. If there is no separator, that is the whole text.
[[nodiscard]] inline std::string_view take_until(char separator, std::string_view& text) {
  std::string_view taken = text.substr(0, text.find(separator));
  text.remove_prefix(std::min(text.size(), taken.size() + 1));
  return taken;
}

/// Returns the number at the beginning of the text, or nullopt if there is none or it is too large.
template <typename Number>
[[nodiscard]] std::optional<Number> leading_number(std::string_view text) {
  Number number{};
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? std::optional(number) : std::nullopt;
}

/// Returns the number that is the whole text, or nullopt if the text is anything else.
template <typename Number>
[[nodiscard]] std::optional<Number> whole_number(std::string_view text, int base = 10) {
  Number number{};
  const char* last = text.data() + text.size();
  auto [end, error] = std::from_chars(text.data(), last, number, base);
  return error == std::errc() && end == last ? std::optional(number) : std::nullopt;
}

/// Returns the word for `value` in a table of pairs of a value and its word, or "".
template <typename Words, typename Value>
[[nodiscard]] std::string_view word_of(const Words& words, Value value) {
  auto found = std::find_if(std::begin(words), std::end(words),
                            [&](const auto& pair) { return pair.first == value; });
  return found == std::end(words) ? "" : found->second;
}

/// Returns the value of a word in such a table, or nullopt.
template <typename Value, std::size_t count>
[[nodiscard]] std::optional<Value> value_of(
    const std::pair<Value, std::string_view> (&words)[count], std::string_view word) {
  auto found = std::find_if(std::begin(words), std::end(words),
                            [&](const auto& pair) { return pair.second == word; });
  return found == std::end(words) ? std::nullopt : std::optional(found->first);
}

}  // namespace guard
