#include "guard/in_quotes.hpp"

#include <fmt/format.h>

namespace guard {

std::string in_quotes(std::string_view value) {
  std::string text = "\"";
  for (char byte : value) {
    auto code = static_cast<unsigned char>(byte);
    if (byte == '"' || byte == '\\') {
      text += {'\\', byte};
    } else if (code < ' ' || code == 0x7f) {
      text += fmt::format("\\u{:04x}", code);
    } else {
      text += byte;
    }
  }
  return text + '"';
}

}  // namespace guard
