#include "dlmfs/lock_name.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

namespace dlmfs {
namespace {

constexpr std::size_t kept = 23;         // characters of the UUID before its last dash
constexpr std::size_t tail_digits = 12;  // digits of the UUID after its last dash

/// Digits, and the value of each character. `list` reads thousands of names, so a value is looked
/// up and not searched for.
class Alphabet {
 public:
  constexpr explicit Alphabet(std::string_view digits) : digits_(digits) {
    values_.fill(no_digit);
    for (std::size_t value = 0; value < digits.size(); ++value)
      values_[static_cast<unsigned char>(digits[value])] = static_cast<std::uint8_t>(value);
  }
  [[nodiscard]] constexpr std::size_t size() const { return digits_.size(); }
  [[nodiscard]] constexpr char digit(std::size_t value) const { return digits_[value]; }
  [[nodiscard]] constexpr std::uint8_t value(char digit) const {
    return values_[static_cast<unsigned char>(digit)];
  }
  [[nodiscard]] constexpr bool has(char character) const { return value(character) != no_digit; }

 private:
  static constexpr std::uint8_t no_digit = 0xff;
  std::string_view digits_;
  std::array<std::uint8_t, 256> values_{};
};

constexpr Alphabet base64url("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
constexpr Alphabet hex("0123456789abcdef");

std::uint64_t digits_value(std::string_view digits, const Alphabet& alphabet) {
  std::uint64_t value = 0;
  for (char digit : digits)
    value = value * alphabet.size() + alphabet.value(digit);
  return value;
}

std::string value_digits(std::uint64_t value, std::size_t count, const Alphabet& alphabet) {
  std::string digits(count, '\0');
  for (std::size_t place = count; place-- > 0;) {
    digits[place] = alphabet.digit(value % alphabet.size());
    value /= alphabet.size();
  }
  return digits;
}

}  // namespace

std::optional<Name> Name::parse(std::string_view text) {
  auto fits = [](char byte) { return byte > ' ' && byte <= '~' && byte != '/'; };
  if (text.empty() || text.size() > max_length || text.front() == '$') return std::nullopt;
  if (text == "." || text == ".." || !std::all_of(text.begin(), text.end(), fits)) {
    return std::nullopt;
  }
  return Name(std::string(text));
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
  constexpr std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  auto fits = [](char character, char place) {
    return place == '-' ? character == '-' : hex.has(character);
  };
  if (!std::equal(text.begin(), text.end(), form.begin(), form.end(), fits)) return std::nullopt;
  return Uuid(text);
}

// Six bytes are exactly eight base64 digits. So there is no padding, and the encoding is the number
// written in base 64.
LockName::LockName(const Uuid& uuid)
    : Name(uuid.text().substr(0, kept) +
           value_digits(digits_value(uuid.text().substr(kept + 1), hex), length - kept,
                        base64url)) {}

std::optional<LockName> LockName::parse(std::string_view text) {
  if (text.size() != length) return std::nullopt;
  std::string_view tail = text.substr(kept);
  auto fits = [](char digit) { return base64url.has(digit); };
  if (!std::all_of(tail.begin(), tail.end(), fits)) return std::nullopt;
  LockName name(text);
  if (!Uuid::parse(name.uuid_text())) return std::nullopt;
  return name;
}

std::string LockName::uuid_text() const {
  std::uint64_t tail = digits_value(std::string_view(text()).substr(kept), base64url);
  return text().substr(0, kept) + "-" + value_digits(tail, tail_digits, hex);
}

Uuid LockName::uuid() const {
  return *Uuid::parse(uuid_text());
}

}  // namespace dlmfs
