#include "guard/log/log_line.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "conf/toml_quote.hpp"

namespace guard {
namespace {

bool plain(unsigned char byte) {
  return std::isalnum(byte) != 0 ||
         std::string_view("-_.:/@+,~").find(static_cast<char>(byte)) != std::string_view::npos;
}

}  // namespace

std::string log_line(const Event& event, std::initializer_list<LogField> fields) {
  return fmt::format("event={}{}", event.name, log_fields(fields));
}

std::string log_fields(std::initializer_list<LogField> fields) {
  std::string line;
  for (const auto& [key, value] : fields) {
    bool bare = !value.empty() && std::all_of(value.begin(), value.end(), plain);
    line.append(" ").append(key).append("=");
    line += bare ? value : conf::display_quote(value);
  }
  return line;
}

}  // namespace guard
