#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/system/parse_text.hpp"
#include "guard/system/result.hpp"

namespace guard {

/// Keys and values, one "key = value" per line. A value is a number, true, false, or text in
/// quotes. Files of the state directory and messages between processes of this program have this
/// form. It is a subset of TOML, so any TOML parser can read the files. This parser needs a tenth
/// of toml++'s time, and reads only what `to_text` writes.
class KeyValues {
 public:
  /// Parses what `to_text` wrote. EBADMSG: the text has another form, or contains a key twice.
  [[nodiscard]] static Result<KeyValues> parse(std::string_view text);
  [[nodiscard]] std::string to_text() const;

  void set(std::string_view key, std::string_view text);
  void set(std::string_view key, std::int64_t number);
  void set(std::string_view key, bool yes);
  void set(std::string_view key, const char* text) { set(key, std::string_view(text)); }

  [[nodiscard]] bool contains(std::string_view key) const { return find(key) != nullptr; }
  /// Returns the text, or `otherwise` if the key is missing.
  [[nodiscard]] std::string text(std::string_view key, std::string_view otherwise = "") const;
  /// Returns false if the key is missing.
  [[nodiscard]] bool flag(std::string_view key) const { return text(key) == "true"; }
  /// Returns nullopt if the key is missing, or if its value is not a number or too large.
  template <typename Number>
  [[nodiscard]] std::optional<Number> number(std::string_view key) const {
    const std::string* value = find(key);
    return value != nullptr ? whole_number<Number>(*value) : std::nullopt;
  }

 private:
  struct Entry {
    std::string key, value;
    bool quoted = false;
  };
  [[nodiscard]] const std::string* find(std::string_view key) const;

  std::vector<Entry> entries_;
};

}  // namespace guard
