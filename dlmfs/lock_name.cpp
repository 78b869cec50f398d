#include "dlmfs/lock_name.hpp"

#include <algorithm>
#include <cstdint>

namespace dlmfs {
namespace {

constexpr std::size_t kept = 23;         // characters of the UUID before its last dash
constexpr std::size_t tail_digits = 12;  // digits of the UUID after its last dash
constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view hex_digits = "0123456789abcdef";

std::uint64_t digits_value(std::string_view digits, std::string_view alphabet_of) {
  std::uint64_t value = 0;
  for (char digit : digits)
    value = value * alphabet_of.size() + alphabet_of.find(digit);
  return value;
}

std::string value_digits(std::uint64_t value, std::size_t count, std::string_view alphabet_of) {
  std::string digits(count, alphabet_of.front());
  for (std::size_t place = count; place-- > 0;) {
    digits[place] = alphabet_of[value % alphabet_of.size()];
    value /= alphabet_of.size();
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
    return place == '-' ? character == '-' : hex_digits.find(character) != std::string::npos;
  };
  if (!std::equal(text.begin(), text.end(), form.begin(), form.end(), fits)) return std::nullopt;
  return Uuid(text);
}

// Six bytes are exactly eight base64 digits. So there is no padding, and the encoding is the number
// written in base 64.
LockName::LockName(const Uuid& uuid)
    : Name(uuid.text().substr(0, kept) +
           value_digits(digits_value(uuid.text().substr(kept + 1), hex_digits), length - kept,
                        alphabet)) {}

std::optional<LockName> LockName::parse(std::string_view text) {
  if (text.size() != length) return std::nullopt;
  std::string_view tail = text.substr(kept);
  if (tail.find_first_not_of(alphabet) != std::string::npos) return std::nullopt;
  std::string digits = value_digits(digits_value(tail, alphabet), tail_digits, hex_digits);
  auto uuid = Uuid::parse(std::string(text.substr(0, kept)) + "-" + digits);
  if (!uuid) return std::nullopt;
  return LockName(*uuid);
}

Uuid LockName::uuid() const {
  std::string digits =
      value_digits(digits_value(text().substr(kept), alphabet), tail_digits, hex_digits);
  return *Uuid::parse(text().substr(0, kept) + "-" + digits);
}

}  // namespace dlmfs
